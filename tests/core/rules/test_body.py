"""Values of a body compared with their type, and what is looked into at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.request import Attached, Headers, Request, headers_of
from sidecar.core.rules.body import (
    BodyField,
    BodyIs,
    BodyText,
    MetadataField,
    canonical,
    looked_into,
    plain,
)
from sidecar.core.rules.index import RuleIndex
from sidecar.core.rules.logic import All
from sidecar.core.rules.path import PathIs
from sidecar.core.rules.size import SizeWithin, size_of
from tests.builders import a_request


class Behind(Attached):
    """Fields by their path, in their canonical form, and metadata by its own; counts who asks."""

    def __init__(
        self, fields: dict[str, object], metadata: dict[tuple[str, str], list[str]] | None = None
    ) -> None:
        self._fields = fields
        self._metadata = metadata or {}
        self.asked: list[str] = []

    def body_json(self, path: str) -> str | None:
        self.asked.append(path)
        return canonical(self._fields[path]) if path in self._fields else None

    def body_size(self, enough: int, *, end: bool) -> int:
        self.asked.append(f"{enough} {end}")
        return 500

    def metadata(self, namespace: str, path: str) -> list[str]:
        return self._metadata.get((namespace, path), [])


def with_body(fields: dict[str, object] | None = None, target: str = "/", *, ends: bool = False) -> Request:
    return Request("POST", "shop.test", target, Headers({}), Behind(fields or {}), ends=ends)


def is_(path: str, *values: object) -> BodyIs:
    return BodyIs(BodyField(path), tuple(text for value in values if (text := canonical(value)) is not None))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-0.0, "0"),
        (1, "1"),
        (1.0, "1"),
        (-2, "-2"),
        (2.5, "2.5"),
        (1e15, "1000000000000000.0"),
        (10**15, "1000000000000000.0"),
        (2**53 + 1, "9007199254740992.0"),
        (2**53, "9007199254740992.0"),
        (1e300, "1e+300"),
        (10**300, "1e+300"),
        ("", '""'),
        ("1", '"1"'),
        ('"', '"""'),
        ("a" * 8192, f'"{"a" * 8192}"'),
        ("é" * 4096, f'"{"é" * 4096}"'),
    ],
)
def test_a_value_has_one_spelling(value: object, text: str) -> None:
    """M7"""
    assert canonical(value) == text


@pytest.mark.parametrize(
    "value",
    [[], {}, [1], float("nan"), float("inf"), float("-inf"), 10**400, "a" * 8193, "é" * 4097, object()],
    ids=lambda value: repr(value)[:12] if not isinstance(value, int) else "too large",
)
def test_what_no_condition_can_ask_for_has_none(value: object) -> None:
    """M7"""
    assert canonical(value) is None


SCALARS = st.one_of(
    st.none(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False), st.text(), st.integers()
)


@given(SCALARS, SCALARS)
def test_spellings_are_equal_for_equal_values_of_one_type(one: object, other: object) -> None:
    """M7: numbers are doubles."""

    def kind(value: object) -> object:
        return float if isinstance(value, int) and not isinstance(value, bool) else type(value)

    def seen(value: object) -> object:
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

    assert (canonical(one) == canonical(other)) == (kind(one) is kind(other) and seen(one) == seen(other))


def test_a_text_is_plain_without_its_quotes() -> None:
    """M9"""
    values: list[object] = ["a", "", 1, True, None, []]

    assert [plain(canonical(value)) for value in values] == ["a", "", "1", "true", None, None]


def test_values_compare_with_their_type() -> None:
    """M7"""
    assert is_("n", 1).matches(with_body({"n": 1.0}))
    assert is_("n", "high", 1).matches(with_body({"n": "high"}))
    unequal: list[tuple[object, object]] = [
        (1, "1"),
        ("1", 1),
        (1, True),
        (True, 1),
        ("true", True),
        (None, "null"),
        (0, False),
    ]
    for wanted, there in unequal:
        assert not is_("n", wanted).matches(with_body({"n": there}))


def test_a_body_that_is_not_there_matches_nothing() -> None:
    """M7"""
    assert not is_("n", None).matches(with_body())
    assert not is_("n", 1).matches(a_request("/"))
    assert not is_("n", 1).matches(with_body({"n": 1}, ends=True))


def test_the_index_finds_a_route_among_many_by_a_field() -> None:
    """M7 M20: and only at the path where routes ask for it."""
    index = RuleIndex([All((PathIs("/a"), is_("tenant", f"t{number}"))) for number in range(50)])
    request = with_body({"tenant": "t37"}, "/a")

    assert index.find(request) == 37
    assert isinstance(request.attached, Behind)
    assert len(request.attached.asked) <= 3

    elsewhere = with_body({"tenant": "t37"}, "/b")
    assert index.find(elsewhere) == -1
    assert isinstance(elsewhere.attached, Behind)
    assert elsewhere.attached.asked == []


def test_says_what_it_asks_and_sees() -> None:
    """O6"""
    condition = is_("data.priority", "high", 1, None)

    assert condition.text() == 'body data.priority is "high" or 1 or null'
    assert condition.seen(with_body({"data.priority": "low"})) == '"low"'
    assert condition.seen(with_body({"data.priority": True})) == "true"
    assert condition.seen(with_body()) == "absent"
    assert BodyText("model").name() == "body text model"
    assert MetadataField("a", "b.c").name() == "metadata a b.c"


def test_facts_from_a_body_are_plain_text() -> None:
    """M9 M10"""
    assert BodyText("model").read(with_body({"model": "gpt-4"})) == ["gpt-4"]
    assert BodyText("model").read(with_body({"model": 7})) == ["7"]
    assert BodyText("model").read(with_body({"model": None})) == []
    assert BodyText("model").read(with_body({"model": "gpt-4"}, ends=True)) == []
    assert BodyText("model").read(a_request("/")) == []


def test_facts_from_metadata() -> None:
    """M10"""
    told = Behind({}, {("jwt", "claims.tier"): ["gold"]})
    request = Request("GET", "shop.test", "/", Headers({}), told)

    assert MetadataField("jwt", "claims.tier").read(request) == ["gold"]
    assert MetadataField("jwt", "claims.name").read(request) == []
    assert MetadataField("jwt", "claims.tier").read(a_request("/")) == []


def test_a_size_is_counted_where_it_is_not_told() -> None:
    """M8: no further than the condition needs to know."""
    request = with_body()
    assert isinstance(request.attached, Behind)

    assert SizeWithin(400).matches(request)
    assert not SizeWithin(501).matches(request)
    assert SizeWithin(0, 500).matches(request)
    assert not SizeWithin(0, 499).matches(request)
    assert request.attached.asked == ["400 False", "501 False", "501 True", "500 True"]


def test_a_request_without_a_body_has_the_size_0() -> None:
    """M8"""
    assert size_of(with_body(ends=True)) == 0
    assert SizeWithin(0, 10).matches(with_body(ends=True))


@pytest.mark.parametrize(
    ("headers", "looked"),
    [
        ([("content-type", "application/json")], True),
        ([("content-type", " Application/Json ; charset=utf-8")], True),
        ([("content-type", "text/json")], True),
        ([("content-type", "application/vnd.api+json")], True),
        ([("content-type", "application/jsonx")], False),
        ([("content-type", "application/json+xml")], False),
        ([("content-type", "/+json")], False),
        ([("content-type", "a b/c+json")], False),
        ([("content-type", "+json")], False),
        ([("content-type", "text/plain")], False),
        ([("content-type", "text/plain; a=application/json")], False),
        ([("content-type", "application/json"), ("content-type", "text/plain")], False),
        ([("content-type", b"application/json; \xff")], False),
        ([], False),
        ([("content-type", "application/json"), ("content-encoding", "gzip")], False),
        ([("content-type", "application/json"), ("content-encoding", "identity, gzip")], False),
        ([("content-type", "application/json"), ("content-encoding", " Identity ")], True),
        ([("content-type", "application/json"), ("content-encoding", "")], True),
        ([("content-type", "application/json"), ("upgrade", "websocket")], False),
    ],
)
def test_only_plain_json_is_looked_into(headers: list[tuple[str, str | bytes]], looked: bool) -> None:
    """M7"""
    pairs = [(name, value.encode() if isinstance(value, str) else value) for name, value in headers]

    assert looked_into(headers_of(pairs)) is looked
