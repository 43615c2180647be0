"""Ranges of IP addresses: what is an address, what is a range, and which holds what."""

from functools import partial
from random import Random

import pytest

from sidecar.core.ranges import NO_ADDRESS, RangeMap, Ranges, address_of
from tests.builders import COMPILED, lines_run

IPV6 = 1 << 128


def held(ranges: Ranges, *texts: str) -> list[bool]:
    return [ranges.holds(address_of(text)) for text in texts]


def some_cidrs(count: int) -> list[str]:
    """Networks apart from one another, half of them IPv6."""
    return [f"{n >> 8 & 255}.{n & 255}.0.0/17" if n % 2 else f"2001:{n:x}::/33" for n in range(count)]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.0.0.0", 0),
        ("10.0.0.1", 0x0A000001),
        ("255.255.255.255", 0xFFFFFFFF),
        ("::", IPV6),
        ("::1", IPV6 + 1),
        ("1::", IPV6 + (1 << 112)),
        ("2001:db8::8:800:200c:417a", IPV6 + 0x20010DB80000000000080800200C417A),
        ("2001:0DB8:0000:0000:0008:0800:200c:417A", IPV6 + 0x20010DB80000000000080800200C417A),
        ("1:2:3:4:5:6:7:8", IPV6 + 0x00010002000300040005000600070008),
        ("1:2:3:4:5:6:7::", IPV6 + 0x00010002000300040005000600070000),
        ("::2:3:4:5:6:7:8", IPV6 + 0x00000002000300040005000600070008),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 2 * IPV6 - 1),
        ("1:2:3:4:5:6:7.8.9.10", IPV6 + 0x0001000200030004000500060708090A),
        ("64:ff9b::192.0.2.33", IPV6 + 0x0064FF9B0000000000000000C0000221),
        ("::10.0.0.1", IPV6 + 0x0A000001),
    ],
)
def test_reads_an_address(text: str, number: int) -> None:
    assert address_of(text) == number


@pytest.mark.parametrize(
    "text",
    ["::ffff:10.0.0.1", "::FFFF:a00:1", "0:0:0:0:0:ffff:10.0.0.1", "0000:0000:0000:0000:0000:ffff:0a00:0001"],
)
def test_an_ipv4_mapped_address_is_the_ipv4_address_it_says(text: str) -> None:
    assert address_of(text) == address_of("10.0.0.1")


NOT_IPV4 = """
    . ... 1 1.2.3 1.2.3. .1.2.3 1..2.3 1.2.3.4. 1.2.3.4.5 16909060 256.0.0.1 1.2.3.256 1.2.3.999 1.2.3.4444
    01.2.3.4 1.2.3.04 00.0.0.0 0x1.2.3.4 -1.2.3.4 +1.2.3.4 1_0.2.3.4 1.2.3.4a a.b.c.d 1,2,3,4 1.2.3.4/32
    1.2.3.4:80 [1.2.3.4] 1.2.3.4%eth0
"""
NOT_IPV6 = """
    : ::: :::: 1: :1 1:2 1:2:3:4:5:6:7 1:2:3:4:5:6:7:8:9 1:2:3:4:5:6:7: :2:3:4:5:6:7:8 1:2:3:4:5:6:7:8:
    1:2:3:4:5:6:7:8:: ::1:2:3:4:5:6:7:8 1:2:3:4::5:6:7:8 1::2::3 1:::2 ::1:: :1:: 1::2: 12345:: 00001:: g::
    ::-1 ::+1 ::1_0 ::0x1 ::1.2.3 ::1.2.3.4.5 ::01.2.3.4 ::256.2.3.4 ::a.2.3.4 ::.2.3.4 1.2.3.4:: ::1.2.3.4:5
    1:2:3:4:5:6:7:1.2.3.4 1:2:3:4:5:1.2.3.4 1:2:3:4:5:6::1.2.3.4 1:2:3:4:5:6:7::1.2.3.4 ::1.2.3.4::
    fe80::1%eth0 fe80::1% fe80::1%25eth0 [::1] [::1]:80 [::1 ::1] ::1/128
"""
NOT_PLAIN = [
    *["", " ", " 1.2.3.4", "1.2.3.4 ", "1.2.3.4\n", "1. 2.3.4", " ::1", "::1 ", "::1\n", ": :1"],
    *["f" * 44 + ":", ":" + "f" * 44, "::" + "f" * 43, "0" * 43 + "::", "9" * 45, ":" * 45, "1:" * 22 + ":"],
    *["1.2.3.4\x00", "\x001.2.3.4", "::\x00", "::ffff:10.0.0.1\x00", "\ud800.2.3.4", "::\udc80"],
    *["\u0661.2.3.4", "\uff11.2.3.4", "::\u0661", "1\uff0e2.3.4", "\uff1a\uff1a1", "::\U0001d7d9"],
]
"""Spaces, groups as long as may be, control characters, digits and signs that are not ASCII."""


@pytest.mark.parametrize("text", [*NOT_IPV4.split(), *NOT_IPV6.split(), *NOT_PLAIN])
def test_anything_else_is_no_address(text: str) -> None:
    assert address_of(text) == NO_ADDRESS


HUGE = [
    "0" * 10**6,
    "1.2.3.4" + " " * 10**6,
    ":" * 10**6,
    "1:" * 10**6,
    "f" * 10**6,
    "1." * 10**6,
    "\U0010ffff" * 10**6,
]


@pytest.mark.parametrize("text", HUGE, ids=lambda text: repr(text[:8]))
def test_a_huge_text_is_no_address(text: str) -> None:
    assert address_of(text) == NO_ADDRESS


@pytest.mark.skipif(COMPILED, reason="counts lines of Python")
@pytest.mark.parametrize("text", HUGE, ids=lambda text: repr(text[:8]))
def test_a_huge_text_costs_no_more_than_a_long_one(text: str) -> None:
    assert lines_run(partial(address_of, text)) <= lines_run(partial(address_of, text[:46])) < 5


def test_the_longest_address_is_read() -> None:
    """45 characters, as in INET6_ADDRSTRLEN."""
    text = "0000:0000:0000:0000:0000:ffff:255.255.255.255"

    assert address_of(text) == 0xFFFFFFFF


def test_no_address_is_within_no_range() -> None:
    assert not Ranges(["0.0.0.0/0", "::/0"]).holds(NO_ADDRESS)
    assert RangeMap([("0.0.0.0/0", "a"), ("::/0", "b")]).of(NO_ADDRESS) is None


def test_a_range_holds_its_first_and_last_address_and_not_their_neighbours() -> None:
    ranges = Ranges(["10.0.0.0/8", "2001:db8::/32"])

    assert held(ranges, "10.0.0.0", "10.1.2.3", "10.255.255.255") == [True] * 3
    assert held(ranges, "9.255.255.255", "11.0.0.0") == [False] * 2
    assert held(ranges, "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff") == [True] * 2
    assert held(ranges, "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::") == [False] * 2


def test_a_single_address_is_a_range_of_one() -> None:
    ranges = Ranges(["192.0.2.7", "2001:db8::1", "198.51.100.1/32", "2001:db8::8/128"])

    assert held(ranges, "192.0.2.7", "2001:db8::1", "198.51.100.1", "2001:db8::8") == [True] * 4
    assert held(ranges, "192.0.2.6", "192.0.2.8", "2001:db8::", "2001:db8::2", "2001:db8::9") == [False] * 5


def test_no_ranges_hold_nothing() -> None:
    assert held(Ranges([]), "0.0.0.0", "10.0.0.1", "::", "::1", "not an address") == [False] * 5


def test_ipv4_and_ipv6_are_apart() -> None:
    lowest, highest = "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

    assert held(Ranges(["0.0.0.0/0"]), "0.0.0.0", "255.255.255.255", lowest, highest, "::1.2.3.4") == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert held(Ranges(["::/0"]), lowest, highest, "0.0.0.0", "255.255.255.255") == [True, True, False, False]


def test_an_ipv4_mapped_address_is_held_by_ipv4_ranges_and_by_no_ipv6_range_around_it() -> None:
    assert held(Ranges(["10.0.0.0/8"]), "::ffff:10.0.0.1", "::ffff:b00:1") == [True, False]
    assert held(Ranges(["::/0"]), "::ffff:10.0.0.1", "::fffe:10.0.0.1") == [False, True]


def test_an_ipv4_mapped_range_is_the_ipv4_range_it_says() -> None:
    assert held(Ranges(["::ffff:10.0.0.0/104"]), "10.1.2.3", "::ffff:10.1.2.3", "11.0.0.0") == [
        True,
        True,
        False,
    ]
    assert held(Ranges(["::ffff:10.0.0.1"]), "10.0.0.1", "10.0.0.2") == [True, False]
    assert held(Ranges(["::ffff:0:0/96"]), "0.0.0.0", "255.255.255.255", "::") == [True, True, False]


def test_ranges_may_touch_nest_and_repeat() -> None:
    ranges = Ranges(
        ["10.0.1.0/24", "10.0.0.0/24", "10.0.0.128/25", "10.0.0.128", "10.0.0.0/24", "10.0.3.0/24"]
    )

    assert held(ranges, "10.0.0.0", "10.0.0.128", "10.0.0.255", "10.0.1.0", "10.0.1.255") == [True] * 5
    assert held(ranges, "9.255.255.255", "10.0.2.0", "10.0.4.0") == [False] * 3


@pytest.mark.parametrize(
    "text", ["", "/", "/8", "x/8", "shop.test", "10/8", "10.0.0/8", "10.0.0.0:80", "10.0.0.0-9"]
)
def test_what_is_no_range_is_refused_by_its_text(text: str) -> None:
    with pytest.raises(ValueError, match="must be an address or range") as refused:
        Ranges(["10.0.0.0/8", text])

    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(
    "text", ["fe80::1%eth0", "fe80::%eth0/64", "010.0.0.0/8", "10.00.0.0/16", "[::1]", " ::1"]
)
def test_zones_leading_zeros_brackets_and_spaces_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be an address or range") as refused:
        Ranges([text])

    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(
    "prefix",
    ["", "33", "129", "-1", "+8", "08", "008", " 8", "8 ", "8/8", "8.0", "x", "²", "٨", "255.0.0.0", "1_0"],
)
def test_an_ipv4_prefix_is_a_number_up_to_32(prefix: str) -> None:
    with pytest.raises(ValueError, match="must have a prefix of 0 to 32") as refused:
        Ranges([f"0.0.0.0/{prefix}"])

    assert repr(f"0.0.0.0/{prefix}") in str(refused.value)


@pytest.mark.parametrize("text", ["::/", "::/129", "::/-1", "::ffff:0:0/129", "::/ffff::"])
def test_an_ipv6_prefix_is_a_number_up_to_128(text: str) -> None:
    with pytest.raises(ValueError, match="must have a prefix of 0 to 128") as refused:
        Ranges([text])

    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("10.0.0.1/8", "10.0.0.0/8"),
        ("10.0.0.1/31", "10.0.0.0/31"),
        ("0.0.0.1/0", "0.0.0.0/0"),
        ("2001:db8::1/32", "2001:db8::/32"),
        ("::1/0", "::/0"),
        ("::ffff:0.0.0.0/95", "::fffe:0:0/95"),
    ],
)
def test_bits_beyond_the_prefix_are_refused_with_the_network_that_was_meant(text: str, meant: str) -> None:
    with pytest.raises(ValueError, match="must have no bits set beyond its prefix") as refused:
        Ranges([text])

    assert repr(text) in str(refused.value)
    assert f"write {meant} or {text.partition('/')[0]}" in str(refused.value)
    Ranges([meant])


def test_bits_beyond_the_prefix_of_an_ipv4_mapped_range_are_refused() -> None:
    with pytest.raises(ValueError, match="must have no bits set beyond its prefix"):
        Ranges(["::ffff:10.0.0.1/104"])


def test_a_long_mistake_is_not_repeated_whole() -> None:
    with pytest.raises(ValueError, match="must be an address") as refused:
        Ranges(["x" * 10**6])

    assert len(str(refused.value)) < 300


def test_the_longest_prefix_counts_whatever_the_order() -> None:
    pairs = [("10.0.0.0/8", "wide"), ("10.1.0.0/16", "narrow"), ("10.1.1.1", "one"), ("2001:db8::/32", "six")]

    for written in (pairs, pairs[::-1]):
        values = RangeMap(written)
        assert values.of(address_of("10.0.255.255")) == "wide"
        assert values.of(address_of("10.1.0.0")) == "narrow"
        assert values.of(address_of("10.1.1.0")) == "narrow"
        assert values.of(address_of("10.1.1.1")) == "one"
        assert values.of(address_of("::ffff:10.1.1.2")) == "narrow"
        assert values.of(address_of("10.2.0.0")) == "wide"
        assert values.of(address_of("11.0.0.0")) is None
        assert values.of(address_of("2001:db8::1")) == "six"
        assert values.of(address_of("2001:db9::")) is None


def test_of_one_range_written_twice_the_last_value_counts() -> None:
    values = RangeMap([("10.0.0.0/8", 1), ("10.0.0.0/8", 2), ("0.0.0.0/0", 0), ("::ffff:a00:0/104", 3)])

    assert values.of(address_of("10.0.0.0")) == 3
    assert values.of(address_of("11.0.0.0")) == 0


def test_ranges_that_touch_keep_their_own_values() -> None:
    values = RangeMap([("10.0.0.0/9", "a"), ("10.128.0.0/9", "b")])

    assert values.of(address_of("10.127.255.255")) == "a"
    assert values.of(address_of("10.128.0.0")) == "b"


def test_a_mistake_in_a_map_is_refused_as_among_ranges() -> None:
    with pytest.raises(ValueError, match=r"'10\.0\.0\.1/8': write 10\.0\.0\.0/8"):
        RangeMap([("10.0.0.1/8", "a")])


class Counted(int):
    """An address that counts how often it is compared."""

    compared = 0

    def __lt__(self, other: int) -> bool:
        Counted.compared += 1
        return int(self) < other

    def __gt__(self, other: int) -> bool:
        Counted.compared += 1
        return int(self) > other


@pytest.mark.parametrize("count", [10, 1_000, 20_000])
def test_a_look_up_compares_as_often_as_the_number_of_bounds_has_bits(count: int) -> None:
    """At most 16 comparisons among 20,000 ranges. Compiled code keeps an IPv6 address as the object it is."""
    cidrs = some_cidrs(count)
    ranges = Ranges(cidrs)
    values = RangeMap([(cidr, at) for at, cidr in enumerate(cidrs)])
    rng = Random(6)
    most = 0
    for _ in range(200):
        address = Counted(address_of(f"2001:{rng.randrange(count):x}::1"))
        for look_up in (ranges.holds, values.of):
            Counted.compared = 0
            look_up(address)
            most = max(most, Counted.compared)

    assert 0 < most <= (2 * count).bit_length()


@pytest.mark.skipif(COMPILED, reason="counts lines of Python")
def test_a_look_up_runs_as_few_lines_for_20_000_ranges_as_for_10() -> None:
    costs = []
    for count in (10, 20_000):
        ranges = Ranges(some_cidrs(count))
        asked = [address_of(text) for text in ("0.1.0.1", "255.0.0.1", "2001:2::1", "::", "none")]
        costs.append([lines_run(partial(ranges.holds, address)) for address in asked])

    assert costs[0] == costs[1]
    assert max(costs[1]) < 5
