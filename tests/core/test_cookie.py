"""The cookie by which a client comes back."""

import pytest

from sidecar.core.cookie import SessionCookie, Shown
from sidecar.core.request import Request
from sidecar.core.seal import Seal
from tests.builders import a_request, endpoints_of

SECRET = b"0123456789abcdef"
THREE = endpoints_of({"a": 1, "b": 1, "c": 1})


def a_cookie(
    secret: bytes = SECRET, *, secure: bool | None = None, arm: str = "main", timeout_s: float = 300.0
) -> SessionCookie:
    return SessionCookie("route", Seal((secret,)), timeout_s, {arm: THREE}, secure)


def asked(value: str = "", at: float = 0.0, *headers: tuple[str, str]) -> Request:
    request = a_request("/", *([("cookie", f"route={value}")] if value else []), *headers)
    request.received_at = at
    return request


def value_of(set_cookie: str) -> str:
    return set_cookie.partition("=")[2].partition(";")[0]


def a_value(endpoint_key: str, at: float = 0.0, cookie: SessionCookie | None = None) -> str:
    return value_of((cookie or a_cookie()).written(asked(at=at), None, "main", endpoint_key))


def told(shown: Shown | None) -> tuple[str, str, float] | None:
    return None if shown is None else (shown.arm, shown.endpoint_key, shown.ends_at)


def test_what_is_written_is_what_is_shown() -> None:
    """S16: for a timeout and a half, also in another process with the same secret."""
    for endpoint in THREE:
        value = a_value(endpoint.key, at=1000.0)
        assert told(a_cookie().shown(asked(value, 1449.0))) == ("main", endpoint.key, 1450.0)
        assert a_cookie().shown(asked(value, 1450.0)) is None


def test_it_is_for_the_whole_site_and_for_no_script() -> None:
    """S16"""
    text = a_cookie().written(asked(), None, "main", "shop/a")

    assert text.startswith("route=")
    assert text.split("; ")[1:] == ["Max-Age=450", "Path=/", "HttpOnly", "SameSite=Lax"]


@pytest.mark.parametrize(
    ("secure", "proto", "marked"),
    [
        (None, "https", True),
        (None, " HTTPS ", True),
        (None, "http", False),
        (None, "", False),
        (True, "http", True),
        (False, "https", False),
    ],
)
def test_it_is_for_tls_only_as_the_file_says_or_as_the_client_came(
    secure: bool | None, proto: str, marked: bool
) -> None:
    """S16"""
    request = asked("", 0.0, *([("x-forwarded-proto", proto)] if proto else []))

    text = a_cookie(secure=secure).written(request, None, "main", "shop/a")

    assert text.endswith("; Secure") is marked


@pytest.mark.parametrize(("at", "again"), [(0.0, False), (150.0, False), (150.5, True), (449.0, True)])
def test_it_is_renewed_when_less_than_a_timeout_is_left(at: float, again: bool) -> None:
    """S16: so a client that comes at least once in a timeout is never forgotten."""
    cookie = a_cookie()
    request = asked(a_value("shop/a"), at)

    assert bool(cookie.written(request, cookie.shown(request), "main", "shop/a")) is again


def test_it_is_written_anew_for_another_endpoint_or_arm() -> None:
    """S16"""
    cookie = SessionCookie("route", Seal((SECRET,)), 300.0, {"x": THREE, "y": THREE})
    request = asked(value_of(cookie.written(asked(), None, "x", "shop/a")))
    shown = cookie.shown(request)

    assert cookie.written(request, shown, "x", "shop/a") == ""
    assert value_of(cookie.written(request, shown, "x", "shop/b"))
    assert value_of(cookie.written(request, shown, "y", "shop/a"))


def test_none_is_written_for_an_endpoint_that_is_in_no_arm() -> None:
    """S16: one of a failover has no session of its own."""
    assert a_cookie().written(asked(), None, "main", "elsewhere/a") == ""
    assert a_cookie().written(asked(), None, "other", "shop/a") == ""


@pytest.mark.parametrize("forged", ["", "shop/c", "c", "AAAAAAAAAAAA.fffffff.AAAAAAAAAAAAAAAAAAAAAA", "\x80"])
def test_one_that_is_not_ours_shows_nothing(forged: str) -> None:
    """S16"""
    assert a_cookie().shown(asked(forged)) is None
    assert a_cookie().shown(asked(a_value("shop/a", cookie=a_cookie(b"another secret..")))) is None


def test_one_of_another_name_shows_nothing() -> None:
    """S16"""
    other = SessionCookie("other", Seal((SECRET,)), 300.0, {"main": THREE})

    assert other.shown(a_request("/", ("cookie", f"other={a_value('shop/a')}"))) is None


def test_one_for_an_endpoint_that_is_gone_shows_nothing() -> None:
    """S16"""
    fewer = SessionCookie("route", Seal((SECRET,)), 300.0, {"main": THREE[1:]})

    assert fewer.shown(asked(a_value("shop/a"))) is None
    assert fewer.shown(asked(a_value("shop/b"))) is not None


def test_of_several_of_the_name_the_first_of_ours_counts_and_after_four_none_is_read() -> None:
    """S16: so that a request cannot have a thousand codes checked."""
    value = a_value("shop/c")
    cookie = a_cookie()

    assert told(cookie.shown(asked(f"forged; route=x; route={value}"))) == ("main", "shop/c", 450.0)
    assert cookie.shown(asked(f"1; route=2; route=3; route=4; route={value}")) is None


def test_one_sealed_with_an_older_secret_still_counts() -> None:
    """S16"""
    old, new = b"an old secret...", b"a new secret...."
    both = SessionCookie("route", Seal((new, old)), 300.0, {"main": THREE})

    assert told(both.shown(asked(a_value("shop/b", cookie=a_cookie(old))))) == ("main", "shop/b", 450.0)
    assert a_cookie(new).shown(asked(a_value("shop/b", cookie=both))) is not None


def test_its_timeout_is_checked() -> None:
    with pytest.raises(ValueError, match=r"timeout_s must be above 0, got 0.0"):
        a_cookie(timeout_s=0.0)
