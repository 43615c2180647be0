"""Changes inputs at random: bytes as bytes, protobuf messages by their fields, texts by their words.

Arbitrary bytes alone are no ProcessingRequest and would try nothing but the parser. So most changes keep a
message well-formed and give it values near those that rules ask for, and the rest damage its bytes.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor

from tests.fuzz.words import JSON, NAMES, PATHS, VALUES, YAML

MOST_BYTES: Final = 200_000
"""Of one input; larger ones are cut."""
_DEEPEST: Final = 6
_MOST_REPEATED: Final = 2_500

_INTEGERS: Final = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    63,
    64,
    99,
    100,
    127,
    128,
    200,
    255,
    404,
    500,
    599,
    62_000,
    65_535,
    65_536,
)
_EDGES: Final = (2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1, 2**64 - 1, -1, -(2**31), -(2**63))
_FLOATS: Final = (0.0, -0.0, 1.0, -1.0, 0.5, 1e9, 1e300, 5e-324, float("inf"), float("-inf"), float("nan"))
_LENGTHS: Final = (1, 7, 63, 127, 128, 1023, 1024, 1025, 4096, 16_384, 61_999, 62_001, 65_537, 130_000)

TEXTS: Final = NAMES + PATHS + VALUES
_BYTES: Final = (
    b"\x00",
    b"\xff",
    b"\x80",
    b"\xc3\x28",
    b"\r\n",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"%",
    b"/",
    b"..",
)


def mutated_bytes(rng: Random, data: bytes, other: bytes = b"") -> bytes:
    """A few changes anywhere; `other` lends pieces."""
    made = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        at = rng.randrange(len(made) + 1)
        end = min(len(made), at + rng.choice((1, 1, 2, 4, 16, 256)))
        match rng.randrange(7):
            case 0 if at < len(made):
                made[at] ^= 1 << rng.randrange(8)
            case 1 if at < len(made):
                made[at] = rng.randrange(256)
            case 2:
                del made[at:end]
            case 3:
                made[at:at] = made[at:end] * rng.choice((1, 2, 50))
            case 4:
                made[at:at] = rng.choice(_BYTES)
            case 5:
                made[at:end] = rng.randbytes(rng.randrange(8))
            case _ if other:
                begin = rng.randrange(len(other))
                made[at:end] = other[begin : begin + rng.choice((1, 8, 64, 1024))]
    return bytes(made[:MOST_BYTES])


def mutated_json(rng: Random, data: bytes, other: bytes = b"") -> bytes:
    """Pieces of JSON put in, taken out and doubled; now and then any bytes."""
    return _mutated_words(rng, data, other, JSON)


def mutated_yaml(rng: Random, data: bytes, other: bytes = b"") -> bytes:
    """Words and lines of configurations put in, taken out, doubled and moved."""
    made = data
    if rng.random() < 0.6:
        lines = made.split(b"\n")
        for _ in range(rng.choice((1, 1, 2, 3))):
            at = rng.randrange(len(lines) + 1)
            donor = rng.choice((lines, other.split(b"\n")))
            match rng.randrange(4):
                case 0:
                    del lines[at : at + rng.choice((1, 1, 3, 10))]
                case 1 if donor:
                    begin = rng.randrange(len(donor))
                    lines[at:at] = donor[begin : begin + rng.choice((1, 1, 3, 10))]
                case 2 if at < len(lines):
                    lines[at] = b"  " * rng.randrange(4) + lines[at].lstrip()
                case _ if at < len(lines):
                    lines[at] = _mutated_words(rng, lines[at], other, YAML)
        made = b"\n".join(lines)
    else:
        made = _mutated_words(rng, made, other, YAML)
    return made[:MOST_BYTES]


def _mutated_words(rng: Random, data: bytes, other: bytes, words: Sequence[str]) -> bytes:
    made = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        if rng.random() < 0.15:
            made = bytearray(mutated_bytes(rng, bytes(made), other))
            continue
        at = rng.randrange(len(made) + 1)
        end = min(len(made), at + rng.choice((0, 0, 1, 1, 4, 32)))
        made[at:end] = rng.choice(words).encode("utf-8", "surrogatepass") * rng.choice((1, 1, 1, 1, 3, 40))
    return bytes(made[:MOST_BYTES])


def mutate(rng: Random, message: Any) -> None:
    """A few changes of its fields, as deep as they go."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5))):
        _mutate(rng, message, _DEEPEST)


def _mutate(rng: Random, message: Any, depth: int) -> None:
    fields = message.DESCRIPTOR.fields
    set_ones = [field for field, _ in message.ListFields()]
    # Mostly what is there: most fields of these messages mean nothing to anybody here.
    field = rng.choice(set_ones) if set_ones and rng.random() < 0.8 else rng.choice(fields)
    if rng.random() < 0.06:
        message.ClearField(field.name)
    elif _is_map(field):
        _mutate_map(rng, message, field, depth)
    elif field.is_repeated:
        _mutate_repeated(rng, getattr(message, field.name), field, depth)
    elif field.message_type is not None:
        if depth > 0:
            part = getattr(message, field.name)
            part.SetInParent()
            _mutate(rng, part, depth - 1)
    else:
        setattr(message, field.name, _scalar(rng, field, getattr(message, field.name)))


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _mutate_map(rng: Random, message: Any, field: FieldDescriptor, depth: int) -> None:
    entries = getattr(message, field.name)
    keys = list(entries)
    key = rng.choice(keys) if keys and rng.random() < 0.6 else rng.choice(NAMES)
    if not isinstance(key, str):
        return
    if keys and rng.random() < 0.2:
        del entries[rng.choice(keys)]
        return
    assert field.message_type is not None
    value = field.message_type.fields_by_name["value"]
    if value.message_type is None:
        entries[key] = _scalar(rng, value, entries.get(key, ""))
    elif depth > 0:
        _mutate(rng, entries[key], depth - 1)


def _mutate_repeated(rng: Random, parts: Any, field: FieldDescriptor, depth: int) -> None:
    choice = rng.randrange(10)
    if field.message_type is None:
        if choice < 3 and len(parts):
            del parts[rng.randrange(len(parts))]
        else:
            parts.append(_scalar(rng, field, None))
    elif choice == 0 and len(parts):
        del parts[rng.randrange(len(parts))]
    elif choice == 1 and len(parts):
        parts.add().CopyFrom(parts[rng.randrange(len(parts))])
    elif choice == 2 and len(parts) and rng.random() < 0.05:
        for _ in range(min(rng.choice((10, 100, 2000)), _MOST_REPEATED - len(parts))):
            parts.add().CopyFrom(parts[0])
    elif choice < 5 or not len(parts):
        _mutate(rng, parts.add(), depth - 1)
    else:
        _mutate(rng, parts[rng.randrange(len(parts))], depth - 1)


def _scalar(rng: Random, field: FieldDescriptor, old: Any) -> Any:
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return rng.random() < 0.5
    if kind == FieldDescriptor.CPPTYPE_STRING:
        if field.type == FieldDescriptor.TYPE_BYTES:
            return _some_bytes(rng, old if isinstance(old, bytes) else b"")
        return _some_text(rng, old if isinstance(old, str) else "")
    if kind in {FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT}:
        return rng.choice(_FLOATS) if kind == FieldDescriptor.CPPTYPE_DOUBLE else rng.choice(_FLOATS[:5])
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        assert field.enum_type is not None
        return rng.choice(field.enum_type.values).number
    low, high = _RANGES[kind]
    return rng.choice([each for each in _INTEGERS + _EDGES if low <= each <= high])


_RANGES: Final = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}


def _some_text(rng: Random, old: str) -> str:
    choice = rng.random()
    if choice < 0.7:
        new = rng.choice(TEXTS)
    elif choice < 0.85:
        new = old + rng.choice(TEXTS)
    else:
        new = "".join(
            chr(rng.randrange(1, rng.choice((128, 0x800, 0x110000)))) for _ in range(rng.randrange(12))
        )
    return new.encode("utf-8", "replace").decode()  # protobuf's text takes no lone surrogates


def _some_bytes(rng: Random, old: bytes) -> bytes:
    choice = rng.random()
    if choice < 0.45:
        return rng.choice(TEXTS).encode("utf-8", "surrogateescape")
    if choice < 0.6:
        return rng.choice(JSON).encode("utf-8", "surrogatepass")
    if choice < 0.75:
        return mutated_bytes(rng, old)
    if choice < 0.85:
        return mutated_json(rng, old)
    if choice < 0.9:
        return rng.choice((b"x", b"[", b"a", b"\xff")) * rng.choice(_LENGTHS)
    return old + rng.choice(TEXTS).encode("utf-8", "surrogateescape")


Mutator = Callable[[Random, bytes, bytes], bytes]


def of_message(kind: Any) -> Mutator:
    """Mutates encoded messages of this kind by their fields, and now and then their bytes."""

    def mutated(rng: Random, data: bytes, other: bytes) -> bytes:
        if rng.random() < 0.15:
            return mutated_bytes(rng, data, other)
        message = kind()
        try:
            message.ParseFromString(data)
        except Exception:  # noqa: BLE001 - bytes that an earlier change has damaged
            return mutated_bytes(rng, data, other)
        mutate(rng, message)
        encoded: bytes = message.SerializeToString()
        return encoded if len(encoded) <= MOST_BYTES else data

    return mutated


def framed(flags: int, messages: Sequence[bytes]) -> bytes:
    """A sequence of messages as one input."""
    return bytes((flags,)) + b"".join(len(each).to_bytes(3) + each for each in messages)


def unframed(data: bytes) -> tuple[int, list[bytes]]:
    """The flags and messages of any bytes."""
    flags, at = (data[0] if data else 0), 1
    messages: list[bytes] = []
    while at < len(data) and len(messages) < 64:
        size = int.from_bytes(data[at : at + 3])
        messages.append(data[at + 3 : at + 3 + size])
        at += 3 + size
    return flags, messages


def of_sequence(kind: Any) -> Mutator:
    """Mutates framed sequences: their messages, their order and number, their flags."""
    one = of_message(kind)

    def mutated(rng: Random, data: bytes, other: bytes) -> bytes:
        flags, messages = unframed(data)
        _, lent = unframed(other)
        for _ in range(rng.choice((1, 1, 2, 3))):
            at = rng.randrange(len(messages) + 1)
            choice = rng.randrange(12)
            if choice == 0:
                flags = rng.randrange(256)
            elif choice == 1 and at < len(messages):
                del messages[at]
            elif choice == 2 and lent:
                messages.insert(at, rng.choice(lent))
            elif choice == 3 and at < len(messages):
                messages.insert(at, messages[at])
            elif choice == 4 and len(messages) > 1:
                one_at = rng.randrange(len(messages) - 1)
                messages[one_at], messages[one_at + 1] = messages[one_at + 1], messages[one_at]
            elif at < len(messages):
                messages[at] = one(rng, messages[at], rng.choice(lent) if lent else b"")
            elif lent:
                messages.append(rng.choice(lent))
        made = framed(flags, messages[:32])
        return made if len(made) <= 2 * MOST_BYTES else data

    return mutated
