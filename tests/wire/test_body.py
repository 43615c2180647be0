"""JSON as Envoy takes it, values by dotted paths, and what filters and callers tell."""

import sys

import pytest
from envoy.config.core.v3.base_pb2 import Metadata
from google.protobuf import json_format
from google.protobuf.struct_pb2 import NULL_VALUE, Struct, Value
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.request import UNKNOWN_SIZE, Headers, headers_of
from sidecar.wire.body import MOST_DEPTH, Arriving, Given, Said, found, parsed, told

JSON = headers_of([("content-type", b"application/json")])


def at(body: bytes, path: str) -> str | None:
    try:
        return found(parsed(body), path)
    except ValueError:
        return None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a", None),
        ("a.b", "1"),
        ("a.c.0", '"x"'),
        ("a.c.1.d", "true"),
        ("a.c.2", "null"),
        ("a.c.3", None),
        ("a.c.-1", None),
        ("a.c.00", '"x"'),
        ("a.c.9999999999", None),
        ("a.c.\u0660", None),
        ("a.b.c", None),
        ("e.0", '"in a mapping"'),
        ("f.g", None),
        ("missing", None),
    ],
)
def test_finds_the_value_at_a_dotted_path(path: str, value: str | None) -> None:
    """M7: a number is a place in a list, or a key."""
    body = b'{"a": {"b": 1, "c": ["x", {"d": true}, null]}, "e": {"0": "in a mapping"}, "f.g": 1}'

    assert at(body, path) == value


@pytest.mark.parametrize("callers", [0, 800])
def test_the_depth_does_not_depend_on_who_asks(callers: int) -> None:
    """M7: the interpreter counts the callers as well."""

    def below(more: int) -> list[str | None]:
        if more:
            return below(more - 1)
        return [
            at(b'{"n": 1, "x": ' + b"[" * depth + b"]" * depth + b"}", "n")
            for depth in (900, 999, 1000, 5000)
        ]

    assert below(callers) == ["1", "1", None, None]
    assert MOST_DEPTH == 1000


def test_the_interpreter_is_left_as_it_was() -> None:
    before = sys.getrecursionlimit()

    assert at(b"[" * 100_000, "0") is None
    assert sys.getrecursionlimit() == before


@given(st.binary(max_size=60))
def test_any_bytes_are_json_or_not(body: bytes) -> None:
    """M7"""
    for prefix in (b"", b'{"n":', b"["):
        at(prefix + body, "n.0")


def a_struct(**fields: object) -> Struct:
    return json_format.ParseDict(fields, Struct())


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("tier", ["gold"]),
        ("org.id", ["7"]),
        ("groups", ["a", "b"]),
        ("admin", ["true"]),
        ("nothing", []),
        ("org", []),
        ("org.name.first", []),
        ("https://x.test/user", ["ann"]),
        ("https://x.test/more.id", ["1"]),
        ("missing", []),
    ],
)
def test_finds_what_filters_said(path: str, values: list[str]) -> None:
    """M10"""
    struct = a_struct(tier="gold", org={"id": 7}, groups=["a", None, ["c"], "b"], admin=True, nothing=None)
    struct.update({"https://x.test/user": "ann", "https://x.test/more": {"id": 1}})

    assert told(struct.fields, path) == values


def said(headers: Headers, **namespaces: Struct) -> Said:
    metadata = Metadata()
    for name, struct in namespaces.items():
        metadata.filter_metadata[name.replace("_", ".")].CopyFrom(struct)
    return Said(headers, metadata.SerializeToString())


def test_fields_that_envoy_read_keep_their_types() -> None:
    """M7"""
    fields = a_struct(n=1, s="1", b=True)
    fields.update({"a.b": 2.5})
    told = said(JSON, sidecar_body=fields)

    assert [told.body_json(path) for path in ("n", "s", "b", "a.b", "a", "c")] == [
        "1",
        '"1"',
        "true",
        "2.5",
        None,
        None,
    ]
    assert said(headers_of([]), sidecar_body=fields).body_json("n") is None
    assert said(JSON).body_json("n") is None


def test_metadata_that_cannot_be_read_says_nothing() -> None:
    broken = Said(JSON, b"\xff\xff")

    assert broken.body_json("n") is None
    assert broken.metadata("a", "b") == []
    assert not broken.waits()


def given_by_caller(body: bytes = b"", size: int = UNKNOWN_SIZE, limit: int = 100, **fields: Value) -> Given:
    return Given(JSON, body, fields, size, {"jwt": a_struct(tier="gold")}, limit)


def test_what_a_caller_hands_over_counts() -> None:
    """M7 M8 M10 V2"""
    assert given_by_caller(b'{"n": 1}').body_json("n") == "1"
    assert given_by_caller(b'{"n": 1}', n=Value(bool_value=True)).body_json("n") == "true"
    assert given_by_caller(n=Value(null_value=NULL_VALUE)).body_json("n") == "null"
    assert given_by_caller(n=Value(number_value=float("nan"))).body_json("n") is None
    assert given_by_caller(b"not JSON").body_json("n") is None
    assert given_by_caller(b"12345").body_size(1, end=True) == 5
    assert given_by_caller(size=7).body_size(1, end=True) == 7
    assert given_by_caller().body_size(1, end=True) == UNKNOWN_SIZE
    assert given_by_caller().metadata("jwt", "tier") == ["gold"]
    assert given_by_caller().metadata("other", "tier") == []


def test_a_caller_waits_for_nothing_but_what_is_too_large() -> None:
    """M7"""
    large = given_by_caller(b'{"n": 1}', limit=7)
    assert not large.waits()
    assert large.body_json("n") is None
    assert large.waits()

    small = given_by_caller(b'{"n": 1}', limit=8)
    assert small.body_json("n") == "1"
    assert not small.waits()


def test_counts_what_passes_by_until_a_mark() -> None:
    """M8"""
    arriving = Arriving(JSON, b"", 100)

    assert arriving.body_size(1000, end=False) == UNKNOWN_SIZE
    assert not arriving.waits()
    arriving.count(999)
    assert not arriving.passed_mark()
    arriving.count(1)
    assert arriving.passed_mark()
    assert arriving.body_size(1000, end=False) == 1000
    assert not arriving.passed_mark()
