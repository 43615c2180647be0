"""The client's address, what is believed of it, and what depends on it."""

import pytest

from sidecar.core.ranges import NO_ADDRESS, address_of, address_text
from sidecar.core.request import NOT_LOOKED_AT, Request
from sidecar.core.rules.address import Client, ClientIn, CountryOf
from sidecar.core.rules.cache import RouteCache
from sidecar.core.rules.facts import Fact
from sidecar.core.rules.index import RuleIndex
from sidecar.core.rules.logic import All, Not
from sidecar.core.rules.path import PathIs
from tests.builders import COMPILED, a_request, lines_run


def forwarded(*lines: str | bytes) -> Request:
    return a_request("/", *(("x-forwarded-for", line) for line in lines))


def the_client(hops: int, *lines: str | bytes) -> str:
    return address_text(Client(hops).address(forwarded(*lines)))


@pytest.mark.parametrize(
    ("hops", "lines", "client"),
    [
        (0, ["203.0.113.9"], "203.0.113.9"),
        (0, ["10.0.0.1, 203.0.113.9"], "203.0.113.9"),
        (0, ["10.0.0.1,10.0.0.2 ,  203.0.113.9  "], "203.0.113.9"),
        (1, ["10.0.0.1, 203.0.113.9, 198.51.100.1"], "203.0.113.9"),
        (2, ["10.0.0.1, 203.0.113.9, 198.51.100.1, 198.51.100.2"], "203.0.113.9"),
        (1, ["10.0.0.1, 203.0.113.9", "198.51.100.1"], "203.0.113.9"),
        (1, ["10.0.0.1", "203.0.113.9", "198.51.100.1"], "203.0.113.9"),
        (2, ["203.0.113.9", "198.51.100.1, 198.51.100.2"], "203.0.113.9"),
    ],
)
def test_the_client_stands_left_of_the_trusted_proxies(hops: int, lines: list[str], client: str) -> None:
    """M12: and what stands further left is its own word."""
    assert the_client(hops, *lines) == client


@pytest.mark.parametrize(
    "lines", [["198.51.100.1"], ["203.0.113.9, 198.51.100.1"], ["203.0.113.9", "198.51.100.1"]]
)
def test_who_came_past_the_proxies_is_the_right_most(lines: list[str]) -> None:
    """M12: as for Envoy, where there are fewer addresses than trusted hops."""
    assert the_client(3, *lines) == "198.51.100.1"


@pytest.mark.parametrize(
    ("entry", "client"),
    [
        ("203.0.113.9:4711", "203.0.113.9"),
        ("2001:DB8::9", "2001:db8::9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ("[2001:db8::9]:4711", "2001:db8::9"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%eth0]:80", "fe80::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("[::ffff:203.0.113.9]:80", "203.0.113.9"),
        ("\t203.0.113.9\t", "203.0.113.9"),
    ],
)
def test_an_address_may_have_a_port_brackets_and_a_zone(entry: str, client: str) -> None:
    """M12"""
    assert the_client(0, f"10.0.0.1, {entry}") == client
    assert the_client(1, f"10.0.0.1, {entry}, 198.51.100.1") == client


@pytest.mark.parametrize(
    "entry",
    [
        "", " ", "unknown", "_hidden", "203.0.113.256", "203.0.113.9:", "203.0.113.9:http",
        "203.0.113.9:123456", "203.0.113.9 x", "203.0.113.9:\u0661", "1.2.3.4.5", "9" * 5000, ":", "::1::",
        "[2001:db8::9", "[2001:db8::9]80", "[2001:db8::9]:x", "2001:db8::9]:80", "[]",
        b"\xff\xfe", b"203.0.113.9\x00",
    ],
)  # fmt: skip
def test_what_is_no_address_is_unknown(entry: str | bytes) -> None:
    """M12: it is not that of the proxy beside it, which lists of the allowed often hold."""
    raw = entry if isinstance(entry, bytes) else entry.encode()

    assert Client(0).address(forwarded(b"10.0.0.1, " + raw)) == NO_ADDRESS
    assert Client(1).address(forwarded(b"10.0.0.1, " + raw + b", 10.0.0.2")) == NO_ADDRESS


def test_without_the_header_the_client_is_unknown() -> None:
    """M12"""
    for hops in (0, 1, 16):
        assert Client(hops).address(a_request("/")) == NO_ADDRESS
        assert Client(hops).read(a_request("/")) == []


@pytest.mark.skipif(COMPILED, reason="compiled code runs no lines")
def test_a_huge_header_costs_no_more_than_a_short_one() -> None:
    """M12: only its right end is read."""
    client = Client(2)
    ends = ", 203.0.113.9, 198.51.100.1, 198.51.100.2"
    texts = ["10.0.0.1" + ends, ", ".join(["10.0.0.1"] * 10_000) + ends, "x" * 100_000 + ends]

    costs = {min(_lines_of(client, text) for _ in range(3)) for text in texts}

    assert len(costs) == 1
    assert [the_client(2, text) for text in texts] == ["203.0.113.9"] * 3


def _lines_of(client: Client, text: str) -> int:
    request = forwarded(text)
    return lines_run(lambda: client.address(request))


def test_it_is_found_once_for_each_request() -> None:
    """M12"""
    request = forwarded("203.0.113.9")
    assert request.client == NOT_LOOKED_AT

    assert Client(0).address(request) == address_of("203.0.113.9") == request.client
    request.client = address_of("192.0.2.1")

    assert Client(0).read(request) == ["192.0.2.1"]


def test_ranges_hold_or_do_not_hold_the_client() -> None:
    """M12"""
    within = ClientIn(Client(), ("10.0.0.0/8", "2001:db8::/32"))

    assert within.matches(forwarded("10.255.0.1"))
    assert within.matches(forwarded("::ffff:10.0.0.1"))
    assert within.matches(forwarded("2001:db8:1::1"))
    assert not within.matches(forwarded("11.0.0.1"))
    assert not within.matches(forwarded("nobody"))
    assert not within.matches(a_request("/"))


def test_ranges_say_what_they_ask_and_saw() -> None:
    """O6"""
    within = ClientIn(Client(), ("10.0.0.0/8",))
    many = ClientIn(Client(), tuple(f"10.0.{number}.0/24" for number in range(0, 200, 2)))

    assert within.text() == "client_ip is in 10.0.0.0/8"
    assert many.text().endswith("10.0.14.0/24 and 92 more")
    assert within.seen(forwarded("10.0.0.1")) == "10.0.0.1"
    assert within.seen(a_request("/")) == "unknown"
    assert within.pin() is None


def test_an_answer_about_ranges_depends_on_one_field_of_two_values() -> None:
    """M19: the same for the same ranges, however many clients there are."""
    within = ClientIn(Client(), ("10.0.0.0/8",)).reads()
    again = ClientIn(Client(), ("10.0.0.0/8",)).reads()
    other = ClientIn(Client(), ("10.0.0.0/9",)).reads()

    assert within is not None
    assert again is not None
    assert other is not None
    assert [field.name() for field in within] == [field.name() for field in again]
    assert [field.name() for field in within] != [field.name() for field in other]
    assert {value for address in range(256) for value in within[0].read(forwarded(f"{address}.0.0.1"))} == {
        "in",
        "out",
    }


def test_routes_by_address_are_remembered_and_never_wrong() -> None:
    """M19 M12: one answer for all within, and one for all without."""
    within = ClientIn(Client(), ("10.0.0.0/8", "2001:db8::/32"))
    index = RuleIndex([All((PathIs("/"), within)), All((PathIs("/"), Not(within)))])
    cache = RouteCache(always=True)
    addresses = [f"{first}.0.0.{last}" for first in (9, 10, 11) for last in range(50)]

    for address in [*addresses, "2001:db8::1", "2001:db9::1", "nobody"]:
        request = forwarded(address)
        assert cache.find(index, request, 0.0) == index.find(request)

    assert cache.hits > 100
    assert cache.size <= 4


def test_a_country_is_looked_up_by_the_address() -> None:
    """M12: once for each request, and only when a rule asks."""
    asked: list[str] = []

    def lookup(address: int) -> str:
        asked.append(address_text(address))
        return "DE" if address == address_of("203.0.113.9") else ""

    country = Fact("country", (CountryOf(Client(), "countries.mmdb", lookup),), upper=True)
    request = forwarded("203.0.113.9")
    assert asked == []

    assert country.read(request) == ["DE"]
    assert country.read(request) == ["DE"]
    assert asked == ["203.0.113.9"]
    assert country.read(forwarded("203.0.113.10")) == []
    assert country.read(forwarded("nobody")) == []
    assert asked == ["203.0.113.9", "203.0.113.10"]


@pytest.mark.parametrize(
    "text",
    ["0.0.0.0", "10.0.0.1", "255.255.255.255", "::", "::1", "2001:db8::1", "ffff::", "1:2:3:4:5:6:7:8"],
)
def test_the_text_of_an_address_is_read_as_that_address(text: str) -> None:
    assert address_text(address_of(text)) == text


def test_what_is_no_address_has_no_text() -> None:
    assert address_text(NO_ADDRESS) == ""
