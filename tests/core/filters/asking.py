"""Routes with filters, and what is left of their endpoints for a request."""

from collections.abc import Sequence

from sidecar.core.endpoint import Endpoint, Offer
from sidecar.core.engine import Engine
from sidecar.core.filters.base import Filter
from sidecar.core.plan import Route, Variant
from sidecar.core.refusal import Refusal
from sidecar.core.registry import STRATEGIES
from sidecar.core.request import Request
from tests.builders import ALWAYS, a_request, an_engine


def offering(
    id: str,
    cluster: str = "shop",
    *,
    models: Sequence[str] = (),
    can: Sequence[str] = (),
    context_window: int = 0,
    max_tokens: int = 0,
    price: tuple[int, int] = (-1, -1),
    slow_start_s: float = 0.0,
    weight: int = 1,
) -> Endpoint:
    """Prices are in millionths of a dollar for 1,000 tokens."""
    offer = Offer(frozenset(models), frozenset(can), context_window, max_tokens, slow_start_s=slow_start_s)
    return Endpoint(
        cluster,
        id,
        f"{id}.test:80",
        weight,
        input_micro_usd=price[0],
        output_micro_usd=price[1],
        offer=offer,
    )


def a_filtered_route(
    endpoints: Sequence[Endpoint], *filters: Filter, want: int = 1, strategy: str = "round_robin"
) -> Route:
    variant = Variant("main", "main", tuple(endpoints), STRATEGIES[strategy](), strategy)
    return Route("main", ALWAYS, (variant,), want=want, filters=filters)


def a_filtered_engine(
    endpoints: Sequence[Endpoint], *filters: Filter, want: int = 1, strategy: str = "round_robin"
) -> Engine:
    return an_engine(a_filtered_route(endpoints, *filters, want=want, strategy=strategy))


def left(engine: Engine, request: Request | None = None, now: float = 0.0) -> str:
    """The ids of the endpoints that the request may have, with a space between; empty when it is refused."""
    explanation = engine.explain(a_request() if request is None else request, now)
    return " ".join(sorted(each.endpoint.id for each in explanation.candidates if each.place > 0))


def whys(engine: Engine, request: Request | None = None, now: float = 0.0) -> dict[str, str]:
    """Why each endpoint that it may not have is passed over."""
    explanation = engine.explain(a_request() if request is None else request, now)
    return {each.endpoint.id: each.why for each in explanation.candidates if each.place == 0}


def said(engine: Engine, request: Request | None = None, now: float = 0.0) -> str:
    """The reason of the refusal, and what the client is told."""
    answer = engine.decide(a_request() if request is None else request, now)
    assert isinstance(answer, Refusal)
    return f"{answer.reason.value}: {answer.message}"
