"""JSON as Envoy takes it, values by dotted paths, and what filters and callers tell."""

import json
import sys
import time
from collections.abc import Callable
from typing import Final

import pytest
from envoy.config.core.v3.base_pb2 import Metadata
from google.protobuf import json_format
from google.protobuf.struct_pb2 import NULL_VALUE, Struct, Value
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.request import UNKNOWN_SIZE, Headers, headers_of
from sidecar.core.rules.body import canonical
from sidecar.wire import document
from sidecar.wire.body import Arriving, Given, Said, told
from sidecar.wire.document import JUDGED_BYTES, MOST_DEPTH, found, parsed

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


@pytest.mark.parametrize("key", ["a b", "\u00e9", 'a"b', "a\\b", "7"])
def test_any_key_is_found_however_it_is_spelled(key: str) -> None:
    """M7: escaped or not, in whatever order it is asked for, the last of two."""
    for ascii_only in (False, True):
        spelled = json.dumps({key: 1, "other": [2]}, ensure_ascii=ascii_only).encode()
        read = parsed(spelled[:-1] + b", " + spelled[1:].replace(b"1", b"3"))

        assert [found(read, path) for path in (f"{key}.x", key, "other.0", "none")] == [
            None,
            "3",
            "2",
            None,
        ]


_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e300, 1e300) | st.text(max_size=5),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.sampled_from("abc01"), below, max_size=4),
    max_leaves=20,
)


@given(_JSON, st.lists(st.lists(st.sampled_from("abc01"), min_size=1, max_size=4), max_size=6))
def test_finds_what_a_whole_reading_finds(value: object, paths: list[list[str]]) -> None:
    """M7: though it makes values of nothing else, and asks for one after the other."""
    whole = parsed(json.dumps(value).encode())
    for path in paths:
        at: object = value
        for part in path:
            if isinstance(at, dict):
                at = at.get(part, ...)
            elif isinstance(at, list) and part.isdigit() and int(part) < len(at):
                at = at[int(part)]
            else:
                at = ...
        assert found(whole, ".".join(path)) == (None if at is ... else canonical(at))


def test_a_place_far_behind_and_more_fields_than_usual_are_found() -> None:
    """M7"""
    read = parsed(json.dumps({"l": list(range(3000)), **{f"k{n}": n for n in range(100)}}).encode())

    assert [found(read, f"k{n}") for n in range(100)] == [str(n) for n in range(100)]
    assert [found(read, f"l.{n}") for n in (2999, 1, 3000, 999_999_999)] == ["2999", "1", None, None]


@pytest.mark.parametrize(
    "odd", [b"1e400", b"9" * 400, b"[18446744073709551615]", b"[" * 1001 + b"]" * 1001], ids=range(4)
)
def test_what_no_rule_asks_for_is_judged_in_bodies_of_usual_size(odd: bytes) -> None:
    """M7: and passed over in larger ones, where a judgement would take too long; a text is no number."""
    small, large = b'"text"', b'"' + b"x" * JUDGED_BYTES + b'"'

    assert at(b'{"n": 1, "x": ' + small + b', "y": ' + odd + b"}", "n") is None
    assert at(b'{"n": 1, "x": ' + small + b', "y": "' + odd + b'"}', "n") == "1"
    assert at(b'{"n": 1, "x": ' + large + b', "y": ' + odd + b"}", "n") in {
        "1",
        None if len(odd) > 1000 else "1",
    }
    assert at(b'{"x": ' + large + b', "n": ' + odd + b"}", "n") is None


@pytest.mark.parametrize("odd", [b'"\xff"', b'"\\ud800"', b"01", b"1,", b"nul"])
def test_what_is_no_json_is_none_at_any_size(odd: bytes) -> None:
    """M7"""
    for rest in (b"0", b'"' + b"x" * JUDGED_BYTES + b'"'):
        assert at(b'{"n": 1, "x": ' + rest + b', "y": ' + odd + b"}", "n") is None


_SIZE: Final = 1_000_000
_COSTLY: Final = {
    "long numbers": b"[" + b"1.23456789012345678e-300," * (_SIZE // 25) + b"0]",
    "large numbers": b"[" + b"1e300," * (_SIZE // 6) + b"0]",
    "digits alone": b"[" + b"9" * _SIZE + b"]",
    "small numbers": b"[" + b"0," * (_SIZE // 2) + b"0]",
    "lists": b"[" + b"[]," * (_SIZE // 3) + b"0]",
    "lists in one another": b"[" + (b"[" * 900 + b"]" * 900 + b",") * (_SIZE // 1801) + b"0]",
    "mappings": b"[" + b"{}," * (_SIZE // 3) + b"0]",
    "keys": b"{" + b",".join(b'"k%05d":1' % number for number in range(_SIZE // 11)) + b"}",
    "one key again": b"{" + b'"a":0,' * (_SIZE // 6) + b'"a":0}',
    "texts": b"[" + b'"",' * (_SIZE // 3) + b"0]",
    "escapes": b'["' + b"\\n" * (_SIZE // 2) + b'"]',
    "surrogates": b'["' + b"\\ud83d\\ude00" * (_SIZE // 12) + b'"]',
    "spaces": b"[" + b" " * _SIZE + b"]",
    "just below the size that is judged": b"[" + b"1e300," * ((JUDGED_BYTES - 10) // 6) + b"0]",
}


def _cpu_s(work: Callable[[], object]) -> float:
    """The least of several: what else the machine does only adds."""
    taken: list[float] = []
    for _ in range(7):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return min(taken)


@pytest.mark.parametrize("body", _COSTLY.values(), ids=_COSTLY)
def test_no_body_takes_long_whatever_is_in_it(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """M7: it is read on the loop that serves everybody. So it is not even made into values once where it is
    costly; the measure is what a plain body of the same size takes for that."""
    monkeypatch.setattr(document, "_memory", document.Memory())  # other tests ask for more than anybody does
    plain = json.dumps({"messages": [{"role": "user", "text": "word " * 20}] * (_SIZE // 140)}).encode()

    def look() -> None:
        read = parsed(body)
        for path in ("a", "0", "0.a", "1.a.b", "k00007"):
            found(read, path)

    assert _cpu_s(look) < 6 * _cpu_s(lambda: json.loads(plain))


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
