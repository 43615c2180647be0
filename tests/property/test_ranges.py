"""Addresses and ranges against the standard library's `ipaddress`."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sidecar.core.ranges import NO_ADDRESS, RangeMap, Ranges, address_of

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

IPV4_BITS: Final = 32
IPV6_BITS: Final = 128


def plain(address: Address) -> Address:
    """An IPv4-mapped address as the IPv4 address it says."""
    return getattr(address, "ipv4_mapped", None) or address


def number_of(address: Address) -> int:
    address = plain(address)
    return int(address) + (address.version == 6) * 2**128


def read_by_the_library(text: str) -> int:
    if "%" in text:
        return NO_ADDRESS
    try:
        return number_of(ip_address(text))
    except ValueError:
        return NO_ADDRESS


def holds(network: Network, address: Address) -> bool:
    address = plain(address)
    return address.version == network.version and address in network


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Of few first bits, so that many nest, touch or are the same."""
    six = draw(st.booleans())
    bits = IPV6_BITS if six else IPV4_BITS
    prefix = draw(st.one_of(st.integers(0, 6), st.integers(bits - 4, bits), st.integers(0, bits)))
    first = draw(
        st.one_of(st.integers(0, 63).map(lambda top: top << (bits - 6)), st.integers(0, 2**bits - 1))
    )
    first = first >> (bits - prefix) << (bits - prefix)
    if six and first >> 32 == 0xFFFF:  # these are IPv4: an example of its own
        first = 0
    return IPv6Network((first, prefix)) if six else IPv4Network((first, prefix))


@st.composite
def addresses_around(draw: st.DrawFn, within: list[Network]) -> Address:
    """At an edge of a network, beside it, or anywhere."""
    beside = draw(st.booleans())
    if within and beside:
        network = draw(st.sampled_from(within))
        edge = draw(st.sampled_from([int(network.network_address), int(network.broadcast_address)]))
        number = (edge + draw(st.integers(-1, 1))) % 2**network.max_prefixlen
        six = network.version == 6
    else:
        six = draw(st.booleans())
        number = draw(st.integers(0, 2**IPV6_BITS - 1 if six else 2**IPV4_BITS - 1))
    if six:
        return IPv6Address(number)
    return IPv6Address((0xFFFF << 32) + number) if draw(st.booleans()) else IPv4Address(number)


@st.composite
def texts_of(draw: st.DrawFn, address: Address) -> str:
    written = [str(address), address.exploded, str(address).upper()]
    if isinstance(address, IPv6Address):
        head, _, _ = address.exploded.rpartition(":")
        head, _, _ = head.rpartition(":")
        written.append(f"{head}:{IPv4Address(int(address) & 0xFFFFFFFF)}")
    return draw(st.sampled_from(written))


@given(data=st.data(), within=st.lists(networks(), max_size=8))
def test_ranges_hold_what_one_of_the_networks_holds(data: st.DataObject, within: list[Network]) -> None:
    ranges = Ranges([str(network) for network in within])

    for _ in range(8):
        address = data.draw(addresses_around(within))
        text = data.draw(texts_of(address))
        assert ranges.holds(address_of(text)) == any(holds(network, address) for network in within)


@given(data=st.data(), within=st.lists(networks(), max_size=8))
def test_a_map_gives_the_value_of_the_longest_prefix(data: st.DataObject, within: list[Network]) -> None:
    """Of the same network drawn twice, the last. With few values, so that ranges that touch often agree."""
    values = data.draw(st.lists(st.integers(0, 2), min_size=len(within), max_size=len(within)))
    by_range = RangeMap([(str(network), value) for network, value in zip(within, values, strict=True)])

    for _ in range(8):
        address = data.draw(addresses_around(within))
        best, expected = -1, None
        for network, value in zip(within, values, strict=True):
            if holds(network, address) and network.prefixlen >= best:
                best, expected = network.prefixlen, value
        assert by_range.of(address_of(str(address))) == expected


@given(address=st.ip_addresses(), data=st.data())
def test_reads_every_way_to_write_an_address(address: Address, data: st.DataObject) -> None:
    assert address_of(data.draw(texts_of(address))) == number_of(address)


@given(text=st.text() | st.text("01259afF:.%/ []", max_size=50))
@example("1:2:3:4:5:6:7::")
@example("::1:2:3:4:5:6:7:8")
@example("1:2:3:4:5:6:7:1.2.3.4")
def test_reads_a_text_as_the_library_does_or_not_at_all(text: str) -> None:
    assert address_of(text) == read_by_the_library(text)


@given(
    parts=st.lists(st.sampled_from(["0", "1", "255", "256", "01", "ffff", "fffff", "a", ""]), max_size=10),
    signs=st.lists(st.sampled_from([":", ":", ":", "::", "."]), min_size=10, max_size=10),
)
def test_reads_what_is_nearly_an_address_as_the_library_does(parts: list[str], signs: list[str]) -> None:
    text = "".join(part + sign for part, sign in zip(parts, signs, strict=False))

    for nearly in (text, text[:-1], f"{text}1.2.3.4", text.replace(":", ".")):
        assert address_of(nearly) == read_by_the_library(nearly)


@given(address=st.ip_addresses(), at=st.integers(0, 45), char=st.characters() | st.sampled_from("0:.f%"))
def test_reads_an_address_with_one_more_character_as_the_library_does(
    address: Address, at: int, char: str
) -> None:
    text = str(address)
    changed = text[:at] + char + text[at:]

    assert address_of(changed) == read_by_the_library(changed)


@given(network=networks(), beyond=st.integers(0, 2**128))
def test_bits_beyond_the_prefix_are_refused_and_the_network_is_named(network: Network, beyond: int) -> None:
    address = network.network_address + beyond % network.num_addresses
    assume(address != network.network_address and plain(address) == address)
    written = f"{address}/{network.prefixlen}"

    with pytest.raises(ValueError, match=rf"got '{written}': write {network} or {address}$"):
        Ranges([written])
