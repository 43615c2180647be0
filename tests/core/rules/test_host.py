"""Conditions on the host."""

import pytest

from sidecar.core.refusal import Refusal
from sidecar.core.rules.host import HostIs
from tests.builders import a_request, a_route, an_engine, decided


@pytest.mark.parametrize(
    ("rule", "authority"),
    [
        ("shop.test", "shop.test"),
        ("Shop.Test", "SHOP.test:8080"),
        ("shop.test", "shop.test."),
        ("shop.test.", "shop.test"),
        ("*.shop.test", "a.shop.test"),
        ("*.shop.test", "b.a.Shop.Test:443"),
        ("*.SHOP.test", "a.shop.test."),
        ("::1", "[::1]:8080"),
        ("[2001:DB8::1]", "[2001:db8::1]"),
    ],
)
def test_a_host_holds_whatever_its_case_port_and_root_dot(rule: str, authority: str) -> None:
    """M6"""
    request = a_request(host=authority)

    assert HostIs(("other.test", rule)).matches(request)
    assert decided(an_engine(a_route("found", HostIs((rule,)))), request).route.name == "found"


@pytest.mark.parametrize(
    ("rule", "authority"),
    [
        ("shop.test", "ashop.test"),
        ("shop.test", "a.shop.test"),
        ("*.shop.test", "shop.test"),
        ("*.shop.test", ".shop.test"),
        ("*.shop.test", "ashop.test"),
        ("*.shop.test", "shop.test.evil"),
        ("shop.test", ""),
        ("*.shop.test", "a" * 300 + ".shop.test"),
    ],
)
def test_a_host_fails_for_anything_else(rule: str, authority: str) -> None:
    """M6"""
    request = a_request(host=authority)

    assert not HostIs((rule,)).matches(request)
    assert isinstance(an_engine(a_route("found", HostIs((rule,)))).decide(request, 0.0), Refusal)


def test_says_what_it_asks_and_what_it_saw() -> None:
    condition = HostIs(("shop.test", "*.Shop.test"))

    assert condition.text() == 'host is "shop.test" or "*.shop.test"'
    assert condition.seen(a_request(host="A.test:80")) == '"a.test"'
