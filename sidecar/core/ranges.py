"""Sets of IP ranges, and values by range, however many: a look-up is one bisection.

Networks either nest or lie apart. So they are flattened once to the sorted numbers where something begins
or ends, and bisection finds the place of an address among those. Address texts come with requests and are
read here: `ipaddress` takes several microseconds, and raises for what is no address.

Addresses are plain numbers: an IPv4 address its own, an IPv6 address its own plus 2**128. One list serves
both, and neither is ever within a range of the other. An IPv4-mapped IPv6 address (`::ffff:10.0.0.1`) is
the IPv4 address it says, as in RFC 4291, section 2.5.5.2: who listens on both gets it for an IPv4 client.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from ipaddress import IPv6Address, ip_network
from typing import Final, Generic, TypeVar, final

from mypy_extensions import i64

NO_ADDRESS: Final = -1
"""What `address_of` says of text that is no address; within no range."""

_LONGEST: Final = len("0000:0000:0000:0000:0000:ffff:255.255.255.255")
_IPV6: Final = 1 << 128
_MAPPED: Final = 0xFFFF << 32
_PREFIXES: Final = {str(bits): bits for bits in range(129)}

_COLON: Final = 58
_DOT: Final = 46

V = TypeVar("V")


@final
class Ranges:
    """The addresses within any of `cidrs`: `10.0.0.0/8`, `2001:db8::/32`, or single ones, `192.0.2.7`.

    ValueError names the text that is none of these or has bits set beyond its prefix.
    """

    def __init__(self, cidrs: Sequence[str]) -> None:
        networks = [_network(text) for text in cidrs]
        self._bounds: Final = _flattened(networks, [True] * len(networks))[0]

    def holds(self, address: int) -> bool:
        """Whether `address`, as `address_of` gives it, is within one of the ranges."""
        # Ranges that touch are merged, so bounds are a begin and an end by turns.
        return bisect_right(self._bounds, address) & 1 == 1


@final
class RangeMap(Generic[V]):
    """Values by range: that of the longest prefix counts, and of the same range written twice, the last.

    Takes pairs of a range, written as for `Ranges`, and its value. ValueError as there.
    """

    def __init__(self, values: Iterable[tuple[str, V]]) -> None:
        networks: list[tuple[int, int]] = []
        held: list[V] = []
        for text, value in values:
            networks.append(_network(text))
            held.append(value)
        flat = _flattened(networks, held)
        self._bounds: Final = flat[0]
        self._values: Final = flat[1]

    def of(self, address: int) -> V | None:
        """The value at `address`, as `address_of` gives it; None where no range holds it."""
        return self._values[bisect_right(self._bounds, address)]


def address_of(text: str) -> int:
    """The address that is all of `text`, or NO_ADDRESS; whatever the text, it never raises and is quick.

    No port, brackets, zone, spaces or prefix; no leading zeros in IPv4, which some read as octal.
    """
    if len(text) > _LONGEST:
        return NO_ADDRESS
    ipv4 = _ipv4(text, 0)
    if ipv4 >= 0 or ":" not in text:
        return ipv4
    return _ipv6(text)


def address_text(address: int) -> str:
    """The usual text of an address as `address_of` gives it; empty for NO_ADDRESS."""
    if address < 0:
        return ""
    if address >= _IPV6:
        return str(IPv6Address(address - _IPV6))
    return f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"


def _ipv4(text: str, at: i64) -> i64:
    """The IPv4 address that `text` is from `at` to its end."""
    size: i64 = len(text)
    number: i64 = 0
    octet: i64 = -1
    dots: i64 = 0
    while at < size:
        char: i64 = ord(text[at])
        at += 1
        if 48 <= char <= 57:
            if octet < 0:
                octet = char - 48
            elif octet == 0:
                return NO_ADDRESS
            else:
                octet = octet * 10 + char - 48
                if octet > 255:
                    return NO_ADDRESS
        elif char == _DOT and octet >= 0 and dots < 3:
            number = number << 8 | octet
            octet = -1
            dots += 1
        else:
            return NO_ADDRESS
    if dots != 3 or octet < 0:
        return NO_ADDRESS
    return number << 8 | octet


def _ipv6(text: str) -> int:
    """The address of a text with a colon: up to eight groups of 16 bits, the last two perhaps as IPv4."""
    size: i64 = len(text)
    if text[0] == ":" and not text.startswith("::"):
        return NO_ADDRESS
    at: i64 = 1 if text[0] == ":" else 0
    # Compiled, an operation that has an i64 in it is one of 64 bits: `number` must meet plain integers only.
    number = 0
    groups = 0
    gap = -1  # how many groups come before `::`
    while at < size:
        if ord(text[at]) == _COLON:  # the second of two
            if gap >= 0:
                return NO_ADDRESS
            gap = groups
            at += 1
            continue
        begin = at
        group: i64 = 0
        while at < size:
            digit = _hex_digit(ord(text[at]))
            if digit < 0:
                break
            group = group << 4 | digit
            at += 1
        if at < size and ord(text[at]) == _DOT:
            ipv4: int = _ipv4(text, begin)
            if ipv4 < 0:
                return NO_ADDRESS
            number = number << 32 | ipv4
            groups += 2
            break
        if at == begin or at - begin > 4:
            return NO_ADDRESS
        word: int = group
        number = number << 16 | word
        groups += 1
        if at < size:
            if ord(text[at]) != _COLON or at + 1 == size:
                return NO_ADDRESS
            at += 1
    if gap < 0:
        if groups != 8:
            return NO_ADDRESS
    else:
        if groups > 7:  # `::` stands for one group at least
            return NO_ADDRESS
        after = 16 * (groups - gap)
        head = number >> after
        number += (head << (128 - 16 * gap)) - (head << after)
    if number >> 32 == 0xFFFF:
        return number - _MAPPED
    return number + _IPV6


def _hex_digit(char: i64) -> i64:
    if 48 <= char <= 57:
        return char - 48
    if 97 <= char <= 102:
        return char - 87
    if 65 <= char <= 70:
        return char - 55
    return -1


def _network(text: str) -> tuple[int, int]:
    """The first address of a range and its prefix in bits of 128: an IPv4 prefix counts 96 more."""
    base, slash, bits = text.partition("/")
    first = address_of(base)
    if first == NO_ADDRESS:
        raise ValueError(
            f"must be an address or range like 192.0.2.7, 10.0.0.0/8, 2001:db8::/32, got {text!r:.80}"
        )
    width = 128 if ":" in base else 32
    prefix = _PREFIXES.get(bits, -1) if slash else width
    if not 0 <= prefix <= width:
        raise ValueError(f"must have a prefix of 0 to {width}, got {text!r:.80}")
    prefix += 128 - width
    written = first + _MAPPED if first < _IPV6 else first
    if written & ((1 << (128 - prefix)) - 1):
        meant = ip_network(text, strict=False)
        raise ValueError(f"must have no bits set beyond its prefix, got {text!r}: write {meant} or {base}")
    return first, prefix


def _flattened(networks: list[tuple[int, int]], values: list[V]) -> tuple[list[int], list[V | None]]:
    """Bounds in order, and one value more: `held[n]` counts up to `bounds[n]`, the last one on to the end."""
    bounds: list[int] = []
    held: list[V | None] = [None]
    ends: list[int] = []  # of the ranges that are open, the innermost last
    outer: list[V | None] = [None]  # what counts outside of each, and within the innermost
    # Wider ranges come before those within them, and the same range again in the order it was written.
    for place in sorted(range(len(networks)), key=networks.__getitem__):
        first, prefix = networks[place]
        while ends and ends[-1] <= first:
            outer.pop()
            _bound(bounds, held, ends.pop(), outer[-1])
        _bound(bounds, held, first, values[place])
        ends.append(first + (1 << (128 - prefix)))
        outer.append(values[place])
    while ends:
        outer.pop()
        _bound(bounds, held, ends.pop(), outer[-1])
    return bounds, held


def _bound(bounds: list[int], held: list[V | None], at: int, value: V | None) -> None:
    """From `at` on, `value` counts, instead of what began there too; no bound where it counts already."""
    if bounds and bounds[-1] == at:
        bounds.pop()
        held.pop()
    if held[-1] != value:
        bounds.append(at)
        held.append(value)
