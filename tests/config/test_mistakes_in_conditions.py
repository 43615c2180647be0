"""What is said of mistakes in conditions on addresses and times, and in the sources of facts."""

import pytest

from sidecar.config.errors import ConfigError
from tests.config.files import CLUSTERS, ROUTES, a_match, loaded

MISTAKES = [
    pytest.param(
        a_match("{client_ip: [10.0.0.1/24]}"),
        "gateway.yaml:3: routes[0].match.client_ip[0]: must have no bits set beyond its prefix, got "
        "'10.0.0.1/24'; write 10.0.0.0/24 or 10.0.0.1",
        id="a range has bits beyond its prefix",
    ),
    pytest.param(
        a_match("{client_ip: []}"),
        "gateway.yaml:3: routes[0].match.client_ip: must not be empty; list at least one range, or leave "
        "it out",
        id="no range",
    ),
    pytest.param(
        a_match("{hours: 9 to 5}"),
        'gateway.yaml:3: routes[0].match.hours: "9 to 5" are no hours; write such as 9-17, 22-6 or '
        "22:30-6:15, from 0 to 24",
        id="hours are words",
    ),
    pytest.param(
        a_match("{hours: 9-25}"),
        'gateway.yaml:3: routes[0].match.hours: "9-25" are no hours; write such as 9-17, 22-6 or '
        "22:30-6:15, from 0 to 24",
        id="an hour that no day has",
    ),
    pytest.param(
        a_match("{hours: '9:60-10'}"),
        'gateway.yaml:3: routes[0].match.hours: "9:60-10" are no hours; write such as 9-17, 22-6 or '
        "22:30-6:15, from 0 to 24",
        id="a minute that no hour has",
    ),
    pytest.param(
        a_match("{hours: 24-6}"),
        'gateway.yaml:3: routes[0].match.hours: "24-6" are no hours; write such as 9-17, 22-6 or '
        "22:30-6:15, from 0 to 24",
        id="hours begin at the end",
    ),
    pytest.param(
        a_match("{hours: 9-9:00}"),
        'gateway.yaml:3: routes[0].match.hours: "9-9:00" ends where it begins; write 0-24 for the whole day',
        id="hours are none",
    ),
    pytest.param(
        a_match("{hours: 9-17, zone: Europe/Belrin}"),
        'gateway.yaml:3: routes[0].match.zone: there is no time zone "Europe/Belrin"; '
        "did you mean Europe/Berlin?",
        id="a zone is misspelt",
    ),
    pytest.param(
        a_match("{hours: 9-17, zone: europe/berlin}"),
        'gateway.yaml:3: routes[0].match.zone: there is no time zone "europe/berlin"; '
        "did you mean Europe/Berlin?",
        id="a zone in small letters",
    ),
    pytest.param(
        a_match("{hours: 9-17, zone: ../../etc/passwd}"),
        'gateway.yaml:3: routes[0].match.zone: there is no time zone "../../etc/passwd"',
        id="a zone is a path",
    ),
    pytest.param(
        a_match("{zone: UTC}"),
        "gateway.yaml:3: routes[0].match.zone: is of hours and days, and there are none; leave it out",
        id="a zone of nothing",
    ),
    pytest.param(
        a_match("{days: [monday]}"),
        'gateway.yaml:3: routes[0].match.days[0]: "monday" is no day; did you mean mon?',
        id="a day is written out",
    ),
    pytest.param(
        a_match("{days: []}"),
        "gateway.yaml:3: routes[0].match.days: must not be empty; list at least one day, or leave it out",
        id="no day",
    ),
    pytest.param(
        "context: {model: [{path: '/models/.*'}]}\n" + CLUSTERS + ROUTES,
        'gateway.yaml:1: context.model[0].path: the regex "/models/.*" has no groups; '
        "put one pair of parentheses around the value, and write others as (?:…)",
        id="a path has no group",
    ),
    pytest.param(
        "context: {model: [{path: '/(a|b)/(.*)'}]}\n" + CLUSTERS + ROUTES,
        'gateway.yaml:1: context.model[0].path: the regex "/(a|b)/(.*)" has 2 groups; '
        "put one pair of parentheses around the value, and write others as (?:…)",
        id="a path has two groups",
    ),
    pytest.param(
        "context: {client_ip: {trusted_hops: -1}}\n" + CLUSTERS + ROUTES,
        "gateway.yaml:1: context.client_ip.trusted_hops: must be at least 0, got -1",
        id="hops are negative",
    ),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_says_in_one_line_what_is_wrong(text: str, said: str) -> None:
    """V4"""
    with pytest.raises(ConfigError) as refused:
        loaded(text)

    assert str(refused.value) == said


def test_ten_thousand_wrong_zones_are_told_soon() -> None:
    """V4: looking for the nearest would take minutes."""
    routes = "".join(
        f"  - {{name: r{at}, match: {{hours: 1-2, zone: X{at}}}, to: shop}}\n" for at in range(10_000)
    )

    with pytest.raises(ConfigError) as refused:
        loaded(CLUSTERS + "routes:\n" + routes)

    assert len(refused.value.problems) == 10_000
