"""What a tenant may have, and would rather have."""

from collections.abc import Mapping

from sidecar.core.filters.named import Excluded
from sidecar.core.filters.tenants import Allowed, Favoured
from sidecar.core.request import Request
from sidecar.core.rules.fields import HeaderField
from tests.builders import a_request, decided, picks
from tests.core.filters.asking import a_filtered_engine, left, offering, said, whys

FLEET = [offering("a"), offering("b"), offering("c", "other"), offering("d", "other")]
TENANT = HeaderField("x-tenant")


def of(tenant: str, *more: tuple[str, str]) -> Request:
    return a_request("/", ("x-tenant", tenant), *more)


def allowed(**words: str) -> Allowed:
    return Allowed(TENANT, {name: frozenset(each.split()) for name, each in words.items()})


def favoured(**words: str) -> Favoured:
    names: Mapping[str, tuple[str, ...]] = {name: tuple(each.split()) for name, each in words.items()}
    return Favoured(TENANT, names)


def test_a_tenant_has_the_clusters_and_endpoints_that_it_is_allowed() -> None:
    """C2: others have all."""
    engine = a_filtered_engine(FLEET, allowed(acme="other a"))

    assert left(engine, of("acme")) == "a c d"
    assert left(engine, of("globex")) == left(engine) == "a b c d"
    assert whys(engine, of("acme")) == {"b": 'tenant "acme" may not have it'}


def test_a_tenant_that_is_allowed_nothing_here_is_refused() -> None:
    """C2"""
    assert said(a_filtered_engine(FLEET, allowed(acme="elsewhere")), of("acme")) == (
        'no_endpoint: no endpoint for tenant "acme"'
    )


def test_a_tenant_gets_what_it_prefers_while_that_is_there() -> None:
    """C2"""
    engine = a_filtered_engine(FLEET, Excluded((HeaderField("x-exclude"),)), favoured(acme="d b"))

    assert picks(engine, 2, of("acme")) == "d d"
    assert picks(engine, 2, of("acme", ("x-exclude", "d"))) == "b b"
    assert set(picks(engine, 40, of("acme", ("x-exclude", "b,d"))).split()) == {"a", "c"}
    assert set(picks(engine, 4).split()) == {"a", "b", "c", "d"}


def test_fallbacks_are_in_the_order_of_preference_and_among_the_allowed() -> None:
    """C2 F1"""
    engine = a_filtered_engine(FLEET, allowed(acme="other a"), favoured(acme="d a"), want=4)

    for _ in range(3):
        decision = decided(engine, of("acme"))
        assert [each.id for each in (decision.endpoint, *decision.fallbacks)] == ["d", "a", "c"]


def test_each_tenant_has_a_rotation_of_its_own() -> None:
    """C2"""
    engine = a_filtered_engine(FLEET, allowed(acme="a b", globex="b c"), strategy="weighted_round_robin")

    given = [picks(engine, 1, of(name)) for _ in range(4) for name in ("acme", "globex")]

    assert given == ["a", "b", "b", "c"] * 2
