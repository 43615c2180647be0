"""Where a pool stands in its smooth weighted rotation.

The order is nginx's "smooth weighted round-robin": each turn every endpoint gains its weight, the
richest is picked and pays the sum of all weights; 5, 1, 1 gives a a b a c a a. Done literally that
visits every endpoint at every turn. Here endpoints of equal weight wait in one queue: among them the
one picked least often, then the first in order, is always the richest, and after a pick it goes to
the back. So only the heads of the queues are compared, one for each different weight.
"""

from collections import deque
from typing import Final, final

from sidecar.core.endpoint import Candidates, Endpoint


@final
class _Seat:
    def __init__(self, endpoint: Endpoint, place: int) -> None:
        self.endpoint = endpoint
        self.place: Final = place
        self.picks: int = 0


@final
class Wheel:
    """The rotation of one pool. After `t` picks, weight `w` picked `c` times has the wealth w(t+1) - Tc."""

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self._total: Final = candidates.total_weight
        self._picks = 0
        self._queues: Final[dict[int, deque[_Seat]]] = {}
        for place, endpoint in enumerate(candidates.endpoints):
            if endpoint.weight not in self._queues:
                self._queues[endpoint.weight] = deque()
            self._queues[endpoint.weight].append(_Seat(endpoint, place))

    def turns_over(self, candidates: Candidates) -> bool:
        """Whether it was made for these very candidates."""
        return self._candidates is candidates

    def fits(self, candidates: Candidates) -> bool:
        """Whether these are the endpoints and weights that it turns over, be they from another plan."""
        mine = self._candidates.endpoints
        return len(mine) == len(candidates.endpoints) and all(
            ours.key == theirs.key and ours.weight == theirs.weight
            for ours, theirs in zip(mine, candidates.endpoints, strict=True)
        )

    def renew(self, candidates: Candidates) -> None:
        """Go on from the same position with the same endpoints as a new plan describes them."""
        by_place = {seat.place: seat for queue in self._queues.values() for seat in queue}
        for place, endpoint in enumerate(candidates.endpoints):
            by_place[place].endpoint = endpoint
        self._candidates = candidates

    def next(self, want: int) -> list[Endpoint]:
        """The endpoint whose turn it is, then others in the order of their wealth; at most `want`."""
        first = self._richest()
        if first is None:
            return []
        if want == 1:
            return [first.endpoint]
        seats = [seat for queue in self._queues.values() for seat in queue]
        seats.sort(key=lambda seat: (-self._wealth(seat), seat.place))
        return [seat.endpoint for seat in seats[:want]]

    def pick(self, endpoint: Endpoint) -> None:
        """It is given a turn, be it its own or not; an endpoint that left since is ignored."""
        queue = self._queues.get(endpoint.weight)
        if queue is None:
            return
        seat = queue[0]
        if seat.endpoint.key != endpoint.key:
            # Not the head: some request could not have the one whose turn it was. The queue keeps its order.
            for other in queue:
                if other.endpoint.key == endpoint.key:
                    break
            else:
                return
            queue.remove(other)
            seat = other
        else:
            queue.popleft()
        seat.picks += 1
        self._picks += 1
        behind = len(queue)
        while behind and (queue[behind - 1].picks, queue[behind - 1].place) > (seat.picks, seat.place):
            behind -= 1
        if behind == len(queue):
            queue.append(seat)
        else:
            queue.insert(behind, seat)
        if self._picks == self._total:
            self._start_over()

    def _wealth(self, seat: _Seat) -> int:
        return seat.endpoint.weight * (self._picks + 1) - self._total * seat.picks

    def _richest(self) -> _Seat | None:
        best: _Seat | None = None
        most = 0
        for queue in self._queues.values():
            seat = queue[0]
            wealth = self._wealth(seat)
            if best is None or wealth > most or (wealth == most and seat.place < best.place):
                best = seat
                most = wealth
        return best

    def _start_over(self) -> None:
        """A full cycle returns everybody's wealth to its beginning; subtracting keeps the numbers small."""
        for queue in self._queues.values():
            for seat in queue:
                seat.picks -= seat.endpoint.weight
        self._picks = 0
