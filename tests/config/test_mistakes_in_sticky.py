"""What is said of mistakes in what clients are known by, and in the secrets of their cookies."""

from pathlib import Path

import pytest

from sidecar.config.errors import ConfigError
from sidecar.config.load import loads
from tests.config.files import CLUSTERS, ROUTES, TWO_CLUSTERS, a_file, a_route

SECRETS = "cookies: {secrets: [%s]}\n"

MISTAKES = [
    pytest.param(
        a_route("to: shop, sticky: {}"),
        "gateway.yaml:3: routes[0].sticky: needs by or cookie, got neither; write such as by: session",
        id="sticky is by nothing",
    ),
    pytest.param(
        a_route("to: shop, sticky: {by: user, timeout: 300}"),
        "gateway.yaml:3: routes[0].sticky.timeout: 300 is not a duration; write a number with a unit, such "
        "as 250ms, 30s, 5m or 1h30m",
        id="timeout has no unit",
    ),
    pytest.param(
        a_route("to: shop, sticky: {by: user, timeout: 0s}"),
        "gateway.yaml:3: routes[0].sticky.timeout: must be longer than 0, got 0s",
        id="timeout is nothing",
    ),
    pytest.param(
        a_route("to: shop, sticky: {by: user, cokie: a}"),
        "gateway.yaml:3: routes[0].sticky.cokie: unknown key; did you mean cookie?",
        id="a key is unknown",
    ),
    pytest.param(
        a_route("to: shop, sticky: {cookie: 'a b'}"),
        'gateway.yaml:3: routes[0].sticky.cookie: "a b" is not a cookie\'s name; use letters, digits, '
        "'-' and '_'",
        id="cookie is no name",
    ),
    pytest.param(
        a_route("to: shop, sticky: {cookie: __Host-route}"),
        'gateway.yaml:3: routes[0].sticky.cookie: browsers take "__Host-route" over TLS only; write '
        "secure: true, or give it another name",
        id="the name of the cookie needs TLS",
    ),
    pytest.param(
        a_route("to: shop, sticky: {by: {cookie: sid}, cookie: sid}"),
        'gateway.yaml:3: routes[0].sticky.cookie: "sid" is the cookie that the client is known by, and '
        "would be written over; give it another name",
        id="the cookie is the key",
    ),
    pytest.param(
        a_route("to: shop, sticky: {by: session, cookie: sid}")
        + "context: {session: [{header: x-session}, {cookie: sid}]}\n",
        'gateway.yaml:3: routes[0].sticky.cookie: "sid" is the cookie that the client is known by, and '
        "would be written over; give it another name",
        id="the cookie is a source of the key",
    ),
    pytest.param(
        a_route("to: shop, sticky: {by: user, secure: true}"),
        "gateway.yaml:3: routes[0].sticky.secure: is for a cookie, and there is none; leave it out",
        id="secure stands without a cookie",
    ),
    pytest.param(
        a_route("to: shop, sticky: {cookie: a, secure: maybe}"),
        'gateway.yaml:3: routes[0].sticky.secure: must be true or false, got "maybe"',
        id="secure is no switch",
    ),
    pytest.param(
        a_route("respond: {}, sticky: {by: user}"),
        "gateway.yaml:3: routes[0].sticky: keeps clients at an endpoint, and respond asks none; leave it out",
        id="sticky stands where no endpoint is asked",
    ),
    pytest.param(
        a_route("respond: {}, share: 10%, sticky: {by: user, cookie: a}"),
        "gateway.yaml:3: routes[0].sticky.cookie: is for an endpoint, and respond asks none; leave it out",
        id="a cookie stands where no endpoint is asked",
    ),
    pytest.param(
        a_route("respond: {}, share: 10%, sticky: {by: user, timeout: 1m}"),
        "gateway.yaml:3: routes[0].sticky.timeout: is for an endpoint, and respond asks none; leave it out",
        id="a timeout stands where no endpoint is asked",
    ),
    pytest.param(
        a_file(
            "{name: r, to: shop, match: {path: /a}, sticky: {cookie: a}}",
            "{name: s, to: other, sticky: {cookie: a}}",
            clusters=TWO_CLUSTERS,
        ),
        'gateway.yaml:11: routes[1].sticky.cookie: "a" is the cookie of routes[0], which goes to other '
        "endpoints; give it another name",
        id="two routes to other endpoints have one cookie",
    ),
    pytest.param(
        "cookies: {secret: a}\n" + CLUSTERS + ROUTES,
        "gateway.yaml:1: cookies.secret: unknown key; did you mean secrets?",
        id="a key of cookies is unknown",
    ),
    pytest.param(
        "cookies: {secrets: one.secret}\n" + CLUSTERS + ROUTES,
        'gateway.yaml:1: cookies.secrets: must be a list, got "one.secret"; write [one.secret]',
        id="secrets is no list",
    ),
    pytest.param(
        SECRETS % "nowhere" + CLUSTERS + ROUTES,
        'gateway.yaml:1: cookies.secrets[0]: "nowhere" cannot be read: no such file or directory; it is '
        "looked for at FOLDER/nowhere",
        id="a secret is not there",
    ),
    pytest.param(
        SECRETS % "short" + CLUSTERS + ROUTES,
        'gateway.yaml:1: cookies.secrets[0]: "short" holds 15 bytes, and a secret needs 16; make one with '
        "head -c 32 /dev/urandom | base64",
        id="a secret is short",
    ),
    pytest.param(
        SECRETS % "good, same" + CLUSTERS + ROUTES,
        'gateway.yaml:1: cookies.secrets[1]: "same" holds a secret that is there already; keep one of them',
        id="a secret is there twice",
    ),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good").write_bytes(b"0123456789abcdef")
    (tmp_path / "same").write_bytes(b"0123456789abcdef\r\n")
    (tmp_path / "short").write_bytes(b"0123456789abcde\n")
    return tmp_path


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_says_in_one_line_what_is_wrong(text: str, said: str, folder: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        loads(text, "gateway.yaml", 1, folder)

    assert str(refused.value) == said.replace("FOLDER", str(folder))


def noted(text: str, folder: Path) -> list[str]:
    return loads(text, "gateway.yaml", 1, folder).notes


def test_notes_once_that_cookies_end_with_the_process(folder: Path) -> None:
    """S16"""
    two = a_file(
        "{name: r, to: shop, match: {path: /a}, sticky: {cookie: a}}",
        "{name: s, to: shop, sticky: {cookie: b}}",
    )

    (note,) = noted(two, folder)
    assert note == (
        "gateway.yaml:3: routes[0].sticky.cookie: cookies end with the process, and no other sidecar knows "
        "them; give cookies.secrets a file"
    )
    assert noted(SECRETS % "good" + two, folder) == []


def test_notes_that_a_cookie_keeps_nobody_in_a_share(folder: Path) -> None:
    """S16"""
    route = "{name: r, to: shop, share: 10%%, sticky: {cookie: a%s}}"

    (note,) = noted(SECRETS % "good" + a_file(route % ""), folder)
    assert note == (
        "gateway.yaml:4: routes[0].sticky.cookie: who is in the share is drawn for each request, as only "
        "those in it get the cookie; give it by"
    )
    assert noted(SECRETS % "good" + a_file(route % ", by: user"), folder) == []
