"""How YAML is read: plain scalars by the core schema of YAML 1.2, anchors, and the bounds."""

import pytest

from sidecar.config.document import lines, read


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("", None), ("~", None), ("null", None),
        ("true", True), ("False", False),
        ("5", 5), ("-5", -5), ("+5", 5), ("0x1F", 31), ("0o17", 15), ("017", 17),
        ("1.5", 1.5), ("1e3", 1000.0), (".5", 0.5), ("-.inf", float("-inf")),
        ("no", "no"), ("on", "on"), ("22-6", "22-6"), ("1:30", "1:30"), ("1_000", "1_000"),
        ("2026-01-01", "2026-01-01"), ("'5'", "5"), ('"true"', "true"), ("!!str 5", "5"),
        ("!!int 5", 5), ("!!float 5", 5), ("!!null ~", None),
        ("=", "="), ("+", "+"), (".", "."), ("1.2.3", "1.2.3"), ("٣", "٣"),
    ],
)  # fmt: skip
def test_reads_a_scalar_as_the_core_schema_says(written: str, value: object) -> None:
    document = read(f"key: {written}\n")

    assert document.problems == []
    assert document.top == {"key": value}


def test_keys_are_text_whatever_they_look_like() -> None:
    assert read("{503: a, no: b, null: c}").top == {"503": "a", "no": "b", "null": "c"}


def test_an_alias_repeats_what_its_anchor_marks() -> None:
    assert read("a: &x {b: [1]}\nc: *x\n&k d: *k\n").top == {"a": {"b": [1]}, "c": {"b": [1]}, "d": "d"}


def test_nothing_can_hold_itself() -> None:
    assert [problem.message for problem in read("a: &x [*x]").problems] == [
        "the alias *x has no anchor &x before it"
    ]


def test_aliases_cannot_nest_deeper_than_the_bound() -> None:
    text = "a0: &a0 [1]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 200))

    document = read(text)

    assert document.top is None
    assert document.problems[0].line == 127


def test_a_million_opening_brackets_end_soon() -> None:
    assert read("a: " + "[" * 1_000_000).top is None
    assert read("a: " + "{" * 1_000_000).top is None


def test_reports_every_doubled_key() -> None:
    found = read("a: {b: 1, b: 2}\nc: 1\nc: 2\n")

    assert found.top == {"a": {"b": 1}, "c": 1}
    assert [(problem.path, problem.line) for problem in found.problems] == [("a.b", 1), ("c", 3)]


def test_finds_the_line_of_a_place_or_of_what_is_around_it() -> None:
    text = "a: 1\nb:\n  - 1\n  - c: 2\n    d: 3\n"

    assert lines(text, [("b", 1, "d"), ("b", 1, "missing"), ("b", 0), ("nowhere",)]) == {
        ("b", 1, "d"): 5,
        ("b", 1, "missing"): 4,
        ("b", 0): 3,
        ("nowhere",): 1,
    }
