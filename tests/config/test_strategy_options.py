"""Options of strategies as people write them, and what other sections of the file say in their place."""

from inspect import signature
from random import Random

import pytest

from sidecar.config.errors import ConfigError, Findings
from sidecar.config.strategies import NOT_WRITTEN, compile_strategy
from sidecar.core.decision import Decision
from sidecar.core.engine import Engine
from sidecar.core.registry import STRATEGIES
from sidecar.core.state.memory import State
from tests.builders import a_request
from tests.config.files import loaded

FILE = """\
clusters:
  shop:
    endpoints:
      - {{address: '10.0.0.1:80', id: east, region: us-east-1, zone: a}}
      - {{address: '10.0.0.2:80', id: west, region: us-west-2, zone: b}}
      - {{address: '10.0.0.3:80', id: north, location: [59.3, 18.1], zone: c}}
{more}
routes:
  - {{name: r, to: shop, strategy: {strategy}}}
"""


def an_engine(strategy: str, more: str = "") -> Engine:
    return Engine(loaded(FILE.format(strategy=strategy, more=more)).plan, State(), Random(1))


def goes_to(engine: Engine, headers: dict[str, str] | None = None, path: str = "/") -> str:
    decision = engine.decide(a_request(path, *(headers or {}).items()), 0.0)
    assert isinstance(decision, Decision)
    return decision.endpoint.id


@pytest.mark.parametrize(
    ("by", "name"),
    [("user", "x-user-id"), ("{header: x-key}", "x-key"), ("[{header: x-none}, {header: x-key}]", "x-key")],
)
def test_a_key_is_found_where_by_says(by: str, name: str) -> None:
    """S13"""
    engine = an_engine(f"{{consistent_hash: {{by: {by}}}}}")

    where = {key: {goes_to(engine, {name: key}) for _ in range(5)} for key in map(str, range(60))}

    assert all(len(each) == 1 for each in where.values())
    assert set.union(*where.values()) == {"east", "west", "north"}


def test_a_path_may_be_the_key() -> None:
    """S13"""
    engine = an_engine("{consistent_hash: {by: path}}")

    assert all(len({goes_to(engine, path=f"/{n}?{at}") for at in range(5)}) == 1 for n in range(20))


def test_without_by_the_session_is_the_key_and_else_the_address() -> None:
    """S13"""
    engine = an_engine("consistent_hash")
    peers = [f"192.0.2.{n}" for n in range(40)]

    assert all(len({goes_to(engine, {"x-session-id": f"s{n}"}) for _ in range(4)}) == 1 for n in range(20))
    assert all(len({goes_to(engine, {"x-forwarded-for": peer}) for _ in range(4)}) == 1 for peer in peers)
    assert len({goes_to(engine, {"x-forwarded-for": peer}) for peer in peers}) == 3


def test_the_nearest_is_found_by_regions_places_and_locations() -> None:
    """S14"""
    engine = an_engine("geo_nearest", "regions: {order: [us-west-2], places: {moon-base: [60.2, 24.9]}}")

    assert goes_to(engine, {"x-region": "us-west-1"}) == "west"
    assert goes_to(engine, {"x-region": "41.88,-87.63"}) == "east"
    assert goes_to(engine, {"x-region": "moon-base"}) == "north"
    assert {goes_to(engine) for _ in range(20)} == {"west"}, "from nowhere known: the first of the order"


def test_zones_and_their_capacities_come_from_their_section() -> None:
    """S15"""
    more = "zones: {a: 100%, b: 0%, c: 0%, local: a}\ncontext: {zone: [{header: x-zone}]}"
    engine = an_engine("zone_aware", more)

    assert {goes_to(engine) for _ in range(50)} == {"east"}


def test_durations_and_shares_are_written_with_their_units() -> None:
    for strategy in (
        "{least_latency: {quantile: p95, target: 200ms}}",
        "{least_loaded: {full: 80%}}",
        "{cache_aware: {by: {header: x-prompt}, kept: 10m, least_hits: 30%}}",
        "{learned: {target: 1.5s}}",
    ):
        assert goes_to(an_engine(strategy))


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        (
            "{consistent_hash: {by: usr}}",
            '.consistent_hash.by: there is no fact "usr"; did you mean user?',
        ),
        (
            "{consistent_hash: {by: zone}}",
            ".consistent_hash.by: context.zone has no source; give it one",
        ),
        (
            "{consistent_hash: {by: {haeder: x}}}",
            (
                ".consistent_hash.by: a mapping names no place in a request; write user, session, tenant, "
                "client_ip, path, or a mapping such as {header: x-key}"
            ),
        ),
        (
            "{least_latency: {target: 200}}",
            (
                ".least_latency.target: 200 is not a duration; write a number with a unit, such as 250ms, "
                "30s, 5m or 1h30m"
            ),
        ),
        (
            "{least_loaded: {full: 120%}}",
            '.least_loaded.full: "120%" is not a share; write one such as 10%, 0.01% or 0.1',
        ),
        (
            "{geo_nearest: {threshold_s: 1}}",
            ".geo_nearest.threshold_s: unknown option; did you mean threshold?",
        ),
        ("{least_loaded: {full: 90}}", ".least_loaded.full: 90 is no share of 0 to 1; write 90%"),
        ("{adaptive: {cost: 2.5}}", ".adaptive.cost: 2.5 is no share of 0 to 1; write 2.5%"),
        (
            "{quota_aware: {trickle: a little}}",
            '.quota_aware.trickle: "a little" is not a share; write one such as 10%, 0.01% or 0.1',
        ),
        (
            "{consistent_hash: {virtual_nodes: 10.5}}",
            ".consistent_hash.virtual_nodes: 10.5 is not a whole number; write 10",
        ),
        ("{best_score: {load: high}}", '.best_score.load: "high" is not a number; write one such as 1.5'),
        (
            "{zone_aware: {penalty: 2}}",
            (
                ".zone_aware.penalty: counts for all routes and stands in zones.cross_zone.penalty; "
                "write it there"
            ),
        ),
        (
            "{zone_aware: {most_across: 10%}}",
            (
                ".zone_aware.most_across: counts for all routes and stands in zones.cross_zone.max_share; "
                "write it there"
            ),
        ),
        (
            "{consistent_hash: {virtual_nodes: 0}}",
            ".consistent_hash.virtual_nodes: must be 1 to 10000, got 0",
        ),
    ],
)
def test_says_which_option_is_wrong(strategy: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        an_engine(strategy)

    assert str(refused.value).endswith(f"routes[0].strategy{said}")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("zones: {a: 40}", "zones.a: 40 is not a share; write one such as 10%, 0.01% or 0.1"),
        ("zones: {cross_zone: {penalty: 0.5}}", "zones.cross_zone.penalty: must be at least 1, got 0.5"),
        ("regions: {places: {x: [1]}}", "regions.places.x: must hold at least 2 items, got 1"),
    ],
)
def test_says_what_is_wrong_with_places(more: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        an_engine("random", more)

    assert said in str(refused.value)


def test_every_option_from_0_to_1_is_known_as_a_share() -> None:
    """Those whose class refuses 1.5: a class with another has to say whether 90 there is meant for 90 %."""
    strange = []
    for name, made in STRATEGIES.items():
        for option, each in signature(made).parameters.items():
            if option in NOT_WRITTEN or type(each.default) is not float or each.default > 1.0:
                continue
            if option.endswith("_s") or (name, option) == ("consistent_hash", "load_factor"):
                continue
            findings = Findings()
            compile_strategy({name: {option: 90}}, (), findings)
            if [problem.remedy for problem in findings.problems] != ["write 90%"]:
                strange.append((name, option))
    assert not strange
