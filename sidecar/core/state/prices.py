"""What endpoints cost, so that the cheapest for a request is found without asking each of them.

The price of a request is a straight line over the part of its tokens that the answer has: from the price of
input at none to that of output at all. The cheapest are those on the lower edge of all lines, each from one
crossing to the next, so the cheapest is found by bisection of the crossings.
"""

from bisect import bisect_right
from typing import Final, final

from sidecar.core.endpoint import Candidates, Endpoint
from sidecar.core.state.shares import Shares


@final
class Price:
    """Endpoints that cost the same: `input` and `output` in millionths of a dollar for 1,000 tokens."""

    def __init__(self, input: int, output: int, endpoints: list[Endpoint]) -> None:
        self.input: Final = input
        self.output: Final = output
        self.shares: Final = Shares(endpoints, [float(endpoint.weight) for endpoint in endpoints])
        self.count: Final = len(endpoints)

    def of(self, input: int, output: int) -> int:
        """Of a request with so many tokens, in billionths of a dollar."""
        return self.input * input + self.output * output


@final
class Prices:
    """The different prices of some candidates. `unknown` are those that have none."""

    def __init__(self, candidates: Candidates) -> None:
        by_price: dict[tuple[int, int], list[Endpoint]] = {}
        unknown: list[Endpoint] = []
        for endpoint in candidates.endpoints:
            if endpoint.input_micro_usd < 0 or endpoint.output_micro_usd < 0:
                unknown.append(endpoint)
            else:
                price = (endpoint.input_micro_usd, endpoint.output_micro_usd)
                by_price.setdefault(price, []).append(endpoint)
        self.all: Final = [Price(each[0], each[1], by_price[each]) for each in sorted(by_price)]
        self.unknown: Final = Price(0, 0, unknown) if unknown else None
        self._edge: Final[list[Price]] = []
        self._crossings: Final[list[float]] = []
        self._find_edge()

    def cheapest(self, input: int, output: int) -> Price:
        """The lowest of all prices of a request with so many tokens; there must be one."""
        tokens = input + output
        part = output / tokens if tokens else 0.5
        return self._edge[bisect_right(self._crossings, part)]

    def ranked(self, input: int, output: int) -> list[Price]:
        """All prices, the lowest first. Visits each: different prices are few."""
        return sorted(self.all, key=lambda price: price.of(input, output))

    def _find_edge(self) -> None:
        """Along the lowest line from no output on, changing where a less steep one crosses it."""
        if not self.all:
            return
        lowest = self.all[0]
        at = 0.0
        while True:
            self._edge.append(lowest)
            following: Price | None = None
            crossing = 1.0
            for price in self.all:
                falls = (lowest.output - lowest.input) - (price.output - price.input)
                if falls > 0:
                    meets = max((price.input - lowest.input) / falls, at)
                    if meets < crossing:
                        following = price
                        crossing = meets
            if following is None:
                return
            self._crossings.append(crossing)
            lowest = following
            at = crossing


def prices_of(candidates: Candidates) -> Prices:
    """The prices of these candidates: pools of the same ones share them."""
    prices = candidates.prepared.get("prices")
    if isinstance(prices, Prices):
        return prices
    made = Prices(candidates)
    candidates.prepared["prices"] = made
    return made
