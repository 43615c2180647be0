"""How cheap an endpoint is for the tokens that the request is likely to take, beside the cheapest."""

from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.rules.tokens import Tokens
from sidecar.core.scorers.base import Asked, Scorer


@final
class Cost(Scorer):
    """The lowest price / the endpoint's: one at twice the price has a half, and what costs nothing has 1.

    An endpoint without a price has 0 beside others that have one, because nobody would notice what it costs;
    where nobody has one, all have 1.
    """

    def __init__(self, tokens: Tokens | None = None) -> None:
        self._tokens: Final = Tokens() if tokens is None else tokens

    def score(self, asked: Asked, endpoints: list[Endpoint], weights: list[float]) -> list[float]:
        costs: list[float] = []
        lowest = -1.0
        sent = answered = -1
        for endpoint in endpoints:
            cost = -1.0
            if endpoint.input_micro_usd >= 0 and endpoint.output_micro_usd >= 0:
                if sent < 0:
                    sent, answered = self._tokens.input(asked.request), self._tokens.output(asked.request)
                cost = float(endpoint.input_micro_usd * sent + endpoint.output_micro_usd * answered)
                if lowest < 0.0 or cost < lowest:
                    lowest = cost
            costs.append(cost)
        if lowest < 0.0:
            return [1.0] * len(endpoints)
        return [0.0 if cost < 0.0 else lowest / cost if cost > 0.0 else 1.0 for cost in costs]

    def unknown(self) -> float:
        return 1.0
