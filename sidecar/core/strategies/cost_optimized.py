"""The cheapest endpoint for the tokens that the request is likely to take."""

from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.rules.tokens import Tokens
from sidecar.core.state.pools import Pool
from sidecar.core.state.prices import Prices, prices_of
from sidecar.core.strategies.base import Strategy, Turn


@final
class CostOptimized(Strategy):
    """The lowest of input tokens x input price + output tokens x output price, with the tokens as estimated.

    Endpoints of the same price share the requests by weight. Those without a price come last, because nobody
    would notice what they cost. Without any price, shares are those of the weights.
    """

    def __init__(self, *, tokens: Tokens | None = None) -> None:
        self._tokens: Final = Tokens() if tokens is None else tokens

    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        prices = self._prices(turn)
        if not prices.all:
            return turn.draw(want)
        asked = self._tokens.input(turn.request)
        answered = self._tokens.output(turn.request)
        cheapest = prices.cheapest(asked, answered)
        if cheapest.count >= want:
            return cheapest.shares.draw(want, turn.rng)
        ranking: list[Endpoint] = []
        for price in prices.ranked(asked, answered):
            if len(ranking) < want:
                ranking.extend(price.shares.draw(want - len(ranking), turn.rng))
        if prices.unknown is not None and len(ranking) < want:
            ranking.extend(prices.unknown.shares.draw(want - len(ranking), turn.rng))
        return ranking

    def arrange(self, pool: Pool) -> None:
        prices_of(pool.candidates)

    def scores(self, turn: Turn) -> list[tuple[Endpoint, float]]:
        """The lowest price divided by the endpoint's, 0 to 1; 0 where there is no price."""
        asked = self._tokens.input(turn.request)
        answered = self._tokens.output(turn.request)
        costs = [
            endpoint.input_micro_usd * asked + endpoint.output_micro_usd * answered
            if endpoint.input_micro_usd >= 0 and endpoint.output_micro_usd >= 0
            else -1
            for endpoint in turn.candidates.endpoints
        ]
        lowest = min([cost for cost in costs if cost >= 0], default=0)
        return [
            (endpoint, 0.0 if costs[at] < 0 else lowest / costs[at] if costs[at] > 0 else 1.0)
            for at, endpoint in enumerate(turn.candidates.endpoints)
        ]

    def _prices(self, turn: Turn) -> Prices:
        prices = turn.candidates.prepared.get("prices")
        return prices if isinstance(prices, Prices) else Prices(turn.candidates)
