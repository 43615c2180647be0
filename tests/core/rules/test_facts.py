"""Facts: one value from the first source that has one, whatever carries it."""

import pytest

from sidecar.core.rules.facts import PRIORITIES, Fact, Flag, Priority
from sidecar.core.rules.fields import CookieField, HeaderField, QueryField
from sidecar.core.rules.where import OneOf
from tests.builders import a_request

SOURCES = (CookieField("tenant"), HeaderField("x-tenant-id"), QueryField("tenant"))
PRIORITY = Priority((HeaderField("x-priority"),))


def test_the_first_source_that_has_a_value_wins() -> None:
    """M10"""
    tenant = Fact("tenant", SOURCES)

    assert tenant.read(a_request("/?tenant=query", ("cookie", "tenant=cookie"))) == ["cookie"]
    assert tenant.read(a_request("/?tenant=query", ("x-tenant-id", "header"))) == ["header"]
    assert tenant.read(a_request("/?tenant=query")) == ["query"]
    assert tenant.read(a_request("/")) == []


def test_an_empty_value_counts_as_absent() -> None:
    """M10: or an empty header would hide the source behind it."""
    tenant = Fact("tenant", SOURCES)

    assert tenant.read(a_request("/?tenant=query", ("x-tenant-id", ""))) == ["query"]


def test_a_fact_has_one_value_though_its_header_repeats() -> None:
    """M10: a client that adds a second value is not two clients."""
    tenant = Fact("tenant", SOURCES)

    assert tenant.read(a_request("/", ("x-tenant-id", "acme"), ("x-tenant-id", "globex"))) == ["acme"]


def test_a_country_is_the_same_in_capitals_or_not() -> None:
    """M12"""
    country = Fact("country", (HeaderField("cf-ipcountry"),), upper=True)

    assert OneOf(country, ("DE",)).matches(a_request("/", ("cf-ipcountry", "de")))
    assert country.meant("de") == "DE"


def test_an_alias_is_the_model_that_it_stands_for() -> None:
    """M9"""
    model = Fact("model", (HeaderField("x-ai-model"),), {"gpt-4": "gpt-4-0613"})
    condition = OneOf(model, (model.meant("gpt-4"),))

    assert condition.matches(a_request("/", ("x-ai-model", "gpt-4")))
    assert condition.matches(a_request("/", ("x-ai-model", "gpt-4-0613")))
    assert not condition.matches(a_request("/", ("x-ai-model", "gpt-3")))


@pytest.mark.parametrize("said", [*PRIORITIES, "HIGH", " low "])
def test_a_priority_is_one_of_four(said: str) -> None:
    """M11"""
    assert PRIORITY.read(a_request("/", ("x-priority", said))) == [said.strip().lower()]


@pytest.mark.parametrize(
    "headers", [[], [("x-priority", "urgent")], [("x-priority", "")], [("x-priority", "9" * 999)]]
)
def test_what_says_no_priority_is_normal(headers: list[tuple[str, str]]) -> None:
    """M11"""
    assert PRIORITY.read(a_request("/", *headers)) == ["normal"]


@pytest.mark.parametrize("nothing", ["", "  "])
def test_an_empty_priority_does_not_hide_the_next_source(nothing: str) -> None:
    """M11"""
    priority = Priority((HeaderField("x-priority"), HeaderField("x-urgency")))

    assert priority.read(a_request("/", ("x-priority", nothing), ("x-urgency", "high"))) == ["high"]
    assert priority.read(a_request("/", ("x-priority", "soon"), ("x-urgency", "high"))) == ["normal"]


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("new=true", "on"),
        ("new=ON", "on"),
        ("new", "on"),
        (" other=true , new = 1 ", "on"),
        ("new=false", "off"),
        ("new=0", "off"),
        ("newer=true", "off"),
        ("new=maybe", "off"),
        ("", "off"),
    ],
)
def test_a_request_switches_a_flag(said: str, state: str) -> None:
    """M14"""
    flag = Flag("new", (HeaderField("x-feature-flag"),), held=False)

    assert flag.read(a_request("/", ("x-feature-flag", said))) == [state]


def test_a_flag_is_held_where_the_request_does_not_say() -> None:
    """M14"""
    flag = Flag("new", (HeaderField("x-feature-flag"),), held=True)

    assert flag.read(a_request("/")) == ["on"]
    assert flag.read(a_request("/", ("x-feature-flag", "other=true"))) == ["on"]
    assert flag.read(a_request("/", ("x-feature-flag", "new=false"))) == ["off"]


def test_a_long_list_of_flags_is_looked_at_in_part() -> None:
    """M14: so that no client chooses how long a decision takes."""
    flag = Flag("new", (HeaderField("x-feature-flag"),), held=False)
    many = ",".join(f"f{number}=true" for number in range(5000))

    assert flag.read(a_request("/", ("x-feature-flag", f"{many},new=true"))) == ["off"]
