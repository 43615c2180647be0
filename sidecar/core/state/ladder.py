"""The endpoints of a pool in the order of their load: requests in flight divided by weight.

Looking for the least loaded of a thousand endpoints at every request would visit all of them. Load moves
only by one request at a time, so endpoints stand on rungs, one for each number of requests in flight, and
a request that comes or goes moves one endpoint by one rung. Only endpoints of the same weight share their
rungs; so the lowest rungs are compared, one for each different weight, as a `Wheel` compares its queues.
"""

from random import Random
from typing import Final, final

from sidecar.core.endpoint import Candidates, Endpoint


@final
class _Seat:
    """`place` is where it stands among the others of its rung."""

    def __init__(self, endpoint: Endpoint, side: "_Side", in_flight: int) -> None:
        self.endpoint: Final = endpoint
        self.side: Final = side
        self.in_flight: int = in_flight
        self.place: int = 0


@final
class _Side:
    """The endpoints of one weight. A rung is there only while somebody stands on it."""

    def __init__(self, weight: int) -> None:
        self.weight: Final = weight
        self.rungs: Final[dict[int, list[_Seat]]] = {}
        self.lowest: int = 0

    def step_on(self, seat: _Seat) -> None:
        rung = self.rungs.get(seat.in_flight)
        if rung is None:
            rung = []
            self.rungs[seat.in_flight] = rung
        seat.place = len(rung)
        rung.append(seat)

    def step_off(self, seat: _Seat) -> None:
        rung = self.rungs[seat.in_flight]
        last = rung.pop()
        if last is not seat:
            rung[seat.place] = last
            last.place = seat.place
        if not rung:
            del self.rungs[seat.in_flight]


@final
class Ladder:
    """`in_flight` are the requests of these endpoints by key, as they stand when the ladder is made."""

    def __init__(self, candidates: Candidates, in_flight: dict[str, int]) -> None:
        self.candidates: Final = candidates
        self.users: int = 0
        """How many pools stand on it; counted by who keeps it up to date."""
        self._sides: Final[list[_Side]] = []
        self._seats: Final[dict[str, _Seat]] = {}
        by_weight: dict[int, _Side] = {}
        for endpoint in candidates.endpoints:
            if endpoint.key in self._seats:
                continue
            side = by_weight.get(endpoint.weight)
            if side is None:
                side = _Side(endpoint.weight)
                by_weight[endpoint.weight] = side
                self._sides.append(side)
            seat = _Seat(endpoint, side, in_flight.get(endpoint.key, 0))
            self._seats[endpoint.key] = seat
            side.step_on(seat)
        for side in self._sides:
            side.lowest = min(side.rungs)

    def up(self, endpoint_key: str) -> None:
        """One more request is in flight there."""
        seat = self._seats[endpoint_key]
        side = seat.side
        side.step_off(seat)
        seat.in_flight += 1
        side.step_on(seat)
        if side.lowest not in side.rungs:
            side.lowest += 1  # it stood there alone, and is on the next rung now

    def down(self, endpoint_key: str) -> None:
        """One request less is in flight there."""
        seat = self._seats[endpoint_key]
        side = seat.side
        side.step_off(seat)
        seat.in_flight -= 1
        side.step_on(seat)
        side.lowest = min(side.lowest, seat.in_flight)

    def lowest(self, want: int, rng: Random) -> list[Endpoint]:
        """The `want` endpoints of least load, lowest first.

        Of equals the first is drawn by weight, so that weights also hold while nobody has anything to do;
        those that follow it are drawn evenly.
        """
        if want == 1:
            rungs = self._lowest_rungs()
            return [_by_weight(rungs, rng).endpoint] if rungs else []
        found: list[Endpoint] = []
        for rungs in self._all_rungs():
            found.extend(_some(rungs, want - len(found), rng))
            if len(found) == want:
                break
        return found

    def _lowest_rungs(self) -> list[list[_Seat]]:
        """Every rung of the least load; there may be one for each weight."""
        best: list[list[_Seat]] = []
        in_flight, weight = 0, 1
        for side in self._sides:
            # Shares of whole numbers are compared crosswise, so that equals are equal.
            ahead = side.lowest * weight - in_flight * side.weight
            if not best or ahead < 0:
                best = [side.rungs[side.lowest]]
                in_flight, weight = side.lowest, side.weight
            elif ahead == 0:
                best.append(side.rungs[side.lowest])
        return best

    def _all_rungs(self) -> list[list[list[_Seat]]]:
        """All rungs from the least load up, those of equal load together. There are few: loads are alike."""
        by_load: dict[float, list[list[_Seat]]] = {}
        for side in self._sides:
            for in_flight, rung in side.rungs.items():
                by_load.setdefault(in_flight / side.weight, []).append(rung)
        return [by_load[load] for load in sorted(by_load)]


def _by_weight(rungs: list[list[_Seat]], rng: Random) -> _Seat:
    if len(rungs) == 1:
        rung = rungs[0]
        return rung[0] if len(rung) == 1 else rung[int(rng.random() * len(rung))]
    total = 0
    for rung in rungs:
        total += len(rung) * rung[0].endpoint.weight
    drawn = int(rng.random() * total)
    for rung in rungs:
        weight = rung[0].endpoint.weight
        if drawn < len(rung) * weight:
            return rung[drawn // weight]
        drawn -= len(rung) * weight
    raise AssertionError


def _some(rungs: list[list[_Seat]], want: int, rng: Random) -> list[Endpoint]:
    """`want` of these, or all: at a cost of what is wanted, not of what is there."""
    first = _by_weight(rungs, rng)
    found = [first.endpoint]
    if want == 1:
        return found
    total = 0
    for rung in rungs:
        total += len(rung)
    if 2 * want >= total:
        others = [seat.endpoint for rung in rungs for seat in rung if seat is not first]
        rng.shuffle(others)
        return found + others[: want - 1]
    while len(found) < want:
        at = int(rng.random() * total)
        for rung in rungs:
            if at < len(rung):
                endpoint = rung[at].endpoint
                if endpoint not in found:
                    found.append(endpoint)
                break
            at -= len(rung)
    return found
