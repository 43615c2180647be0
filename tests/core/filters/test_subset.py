"""Only endpoints of the subset that a gateway names."""

import pytest

from sidecar.core.decision import Decision
from sidecar.core.endpoint import Endpoint
from sidecar.core.filters.subset import Subset
from sidecar.core.request import Attached, Request, headers_of
from sidecar.names import SUBSET_KEY, SUBSET_NAMESPACE
from tests.builders import a_request, an_endpoint
from tests.core.filters.asking import a_filtered_engine, left, said, whys

FLEET = [an_endpoint(name, address=f"10.0.0.{at}:80") for at, name in enumerate("abc")]


class Hinted(Attached):
    """`values` are None where the gateway names no subset."""

    def __init__(self, values: list[str] | None) -> None:
        self._values = values

    def metadata(self, namespace: str, path: str) -> list[str]:
        ours = (namespace, path) == ("envoy.lb.subset_hint", "x-gateway-destination-endpoint-subset")
        return (self._values or []) if ours else []

    def has_metadata(self, namespace: str, path: str) -> bool:
        del namespace, path
        return self._values is not None


def hinted(values: list[str] | None) -> Request:
    return Request("GET", "shop.test", "/", headers_of([]), Hinted(values))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (None, "a b c"),
        (["10.0.0.0:80"], "a"),
        (["10.0.0.2:80", "10.0.0.0:80"], "a c"),
        (["10.0.0.2:80,10.0.0.0:80"], "a c"),
        ([" 10.0.0.2:80 , 10.9.9.9:80,, "], "c"),
        (["10.0.0.1"], ""),
        ([""], ""),
        ([], ""),
    ],
)
def test_nobody_outside_of_it_is_left(values: list[str] | None, expected: str) -> None:
    """checklist 26: a list, or a text with commas; one that is empty leaves nobody."""
    engine = a_filtered_engine(FLEET, Subset(SUBSET_NAMESPACE, SUBSET_KEY))

    assert left(engine, hinted(values)) == expected


def test_fallbacks_are_of_the_subset_too() -> None:
    """checklist 26, F1"""
    engine = a_filtered_engine(FLEET, Subset(SUBSET_NAMESPACE, SUBSET_KEY), want=3)
    answer = engine.decide(hinted(["10.0.0.1:80", "10.0.0.2:80"]), 0.0)

    assert isinstance(answer, Decision)
    assert sorted(each.id for each in named(answer)) == ["b", "c"]


def named(decision: Decision) -> list[Endpoint]:
    return [decision.endpoint, *decision.fallbacks]


def test_a_request_with_nothing_behind_it_may_have_all() -> None:
    """checklist 26"""
    assert left(a_filtered_engine(FLEET, Subset(SUBSET_NAMESPACE, SUBSET_KEY)), a_request()) == "a b c"


def test_says_why_nobody_is_left_and_why_others_are_not() -> None:
    """C8, checklist 26"""
    engine = a_filtered_engine(FLEET, Subset(SUBSET_NAMESPACE, SUBSET_KEY))

    assert said(engine, hinted([])) == "no_endpoint: no endpoint for the subset that the gateway names"
    assert whys(engine, hinted(["10.0.0.0:80"])) == dict.fromkeys(
        "bc", "it is not in the subset that the gateway names"
    )
