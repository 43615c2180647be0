"""Where a pool stands in its smooth weighted rotation, also while those who may be picked come and go.

The order is nginx's "smooth weighted round-robin": each turn every endpoint gains its weight, the
richest is picked and pays the sum of all weights; 5, 1, 1 gives a a b a c a a. Done literally that
visits every endpoint at every turn. Here endpoints of equal weight wait in one line: among them the
one picked least often, then the first in order, is always the richest. A line is a heap, so that one who
was picked out of turn finds its new place as soon as one whose turn it was, and only the heads of the lines
are compared, one for each different weight.

Where reports decide who may be picked, that may change with nearly every request. A rotation that began anew
each time would never come to those at its end. So whoever stays keeps what it is owed, counted in requests.
It is owed its part of all picks less its own, and that of all together is nothing just when all picks are the
sum of everybody's: so where one leaves or comes, it alone is taken out or put in, the sum follows, and nobody
else is touched.
"""

from typing import Final, final

from sidecar.core.endpoint import Candidates, Endpoint

_MOST_AHEAD: Final = 100
"""Picks by which an endpoint may be ahead of its turn. What goes beyond is not counted: else one that had all
requests for an hour, because they asked for it, would have none of the others in the hour after."""
_MANY: Final = 32
_ONE: Final = 1 << 16
"""One pick, in the units in which picks are counted: an endpoint may be owed a part of one. Whole numbers,
so that the order is exact."""
_MUCH: Final = _ONE << 24
"""After so many picks they are counted back, which looks at everybody: seldom enough, and soon enough for
numbers that fit a machine word."""

_NOTHING: Final = (0, 0)


@final
class _Seat:
    """`place` is that of the endpoint among all, `at` its place in the line. `picks` are in units of `_ONE`,
    less what it is owed from before."""

    def __init__(self, endpoint: Endpoint, place: int, line: "list[_Seat]", picks: int) -> None:
        self.endpoint = endpoint
        self.place: int = place
        self.line: Final = line
        self.at: int = len(line)
        self.picks: int = picks

    def before(self, other: "_Seat") -> bool:
        return self.picks < other.picks or (self.picks == other.picks and self.place < other.place)

    def step_forward(self) -> None:
        """To where it belongs in its line, if it is too far behind, as who comes to its end."""
        line = self.line
        at = self.at
        while at > 0:
            ahead = line[(at - 1) // 2]
            if not self.before(ahead):
                break
            line[at] = ahead
            ahead.at = at
            at = (at - 1) // 2
        line[at] = self
        self.at = at

    def leave(self) -> None:
        """The last of the line takes its place."""
        last = self.line.pop()
        if last is not self:
            last.at = self.at
            self.line[self.at] = last
            last.step_forward()
            last.step_back()

    def step_back(self) -> None:
        """To where it belongs in its line, if it is too far in front, as after a pick."""
        line = self.line
        size = len(line)
        at = self.at
        while True:
            child = 2 * at + 1
            if child >= size:
                break
            next_one = line[child]
            if child + 1 < size and line[child + 1].before(next_one):
                child += 1
                next_one = line[child]
            if not next_one.before(self):
                break
            line[at] = next_one
            next_one.at = at
            at = child
        line[at] = self
        self.at = at


@final
class Wheel:
    """The rotation of one pool. After `t` picks, weight `w` picked `c` times has the wealth w(t+1) - Tc.

    It goes on from one `before` it, of other candidates, or is changed to them: an endpoint that is in both
    with the same weight keeps what it is owed, wt/T - c, and one that was away has what it was owed when it
    left, at most a pick. Then each gives by its weight of what they are owed together, so that all are owed
    nothing on average: that is `t` as the sum of all `c`. One that is new is owed nothing before that: it
    neither gets all the next requests nor none of them.

    `listed` are all that may ever be among its candidates, in the same order. It can be changed only where
    that is known.
    """

    def __init__(
        self,
        candidates: Candidates,
        before: "Wheel | None" = None,
        listed: tuple[Endpoint, ...] = (),
    ) -> None:
        self._candidates = candidates
        self._listed = listed
        self._places: dict[str, int] = _places(listed)
        self._picks: int = 0  # in units of _ONE, as all that is compared with them
        self._lines: Final[dict[int, list[_Seat]]] = {}
        """By weight; none is empty."""
        self._seats: Final[dict[str, _Seat]] = {}
        self._away: Final[dict[str, tuple[int, int]]] = {}
        """By key, the weight of those who left and what they are owed."""
        self._total: int = 0
        owed_before = {} if before is None else before.owed()
        for place, endpoint in enumerate(candidates.endpoints):
            if endpoint.key in self._seats:
                continue
            weight, owed = owed_before.pop(endpoint.key, _NOTHING)
            if weight != endpoint.weight:
                owed = 0
            self._seat(endpoint, self._places.get(endpoint.key, place), -owed)
        for key, (weight, owed) in owed_before.items():
            self._away[key] = (weight, max(-_ONE, min(owed, _ONE)))
        if before is not None:
            for line in self._lines.values():
                for at in range(len(line) // 2 - 1, -1, -1):
                    line[at].step_back()

    def change(self, candidates: Candidates, listed: tuple[Endpoint, ...]) -> bool:
        """Turn over other candidates of the same `listed` from now on: it costs by the number of those that
        leave or come, but for a comparison of the keys. False, and nothing changed, where they are others."""
        if not listed or listed is not self._listed:
            return False
        now, former = candidates.by_key, self._candidates.by_key
        part, whole = self._picks, max(self._total, 1)
        for key in former.keys() - now.keys():
            seat = self._seats.pop(key)
            weight = seat.endpoint.weight
            owed = weight * part // whole - seat.picks
            self._away[key] = (weight, max(-_ONE, min(owed, _ONE)))
            seat.leave()
            if not seat.line:
                del self._lines[weight]
            self._picks -= seat.picks
            self._total -= weight
        for key in now.keys() - former.keys():
            endpoint = now[key]
            weight, owed = self._away.pop(key, _NOTHING)
            if weight != endpoint.weight:
                owed = 0
            self._seat(endpoint, self._places[key], endpoint.weight * part // whole - owed).step_forward()
        self._candidates = candidates
        return True

    def _seat(self, endpoint: Endpoint, place: int, picks: int) -> _Seat:
        """At the end of its line."""
        line = self._lines.get(endpoint.weight)
        if line is None:
            line = self._lines[endpoint.weight] = []
        seat = _Seat(endpoint, place, line, picks)
        line.append(seat)
        self._seats[endpoint.key] = seat
        self._picks += picks
        self._total += endpoint.weight
        return seat

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

    def renew(self, candidates: Candidates, listed: tuple[Endpoint, ...] = ()) -> None:
        """Go on from the same position with the same endpoints as a new plan describes them."""
        self._listed = listed
        self._places = _places(listed)
        for at, endpoint in enumerate(candidates.endpoints):
            seat = self._seats[endpoint.key]
            seat.endpoint = endpoint
            seat.place = self._places.get(endpoint.key, at)
        self._candidates = candidates

    def owed(self) -> dict[str, tuple[int, int]]:
        """By key, the weight, and by how many picks, in units of `_ONE`, an endpoint is behind its part of
        them; negative where it is ahead. Also of those who are away."""
        owed = dict(self._away)
        for key, seat in self._seats.items():
            weight = seat.endpoint.weight
            owed[key] = (weight, weight * self._picks // self._total - seat.picks)
        return owed

    def keep_endpoints(self, keys: set[str]) -> None:
        """Forget who is away and not one of these."""
        for key in [key for key in self._away if key not in keys]:
            del self._away[key]

    def next(self, want: int) -> list[Endpoint]:
        """The endpoint whose turn it is, then others in the order of their wealth; at most `want`."""
        heads = [line[0] for line in self._lines.values()]
        if not heads:
            return []
        if want == 1:
            return [self._richest(heads).endpoint]
        if want > _MANY:
            seats = list(self._seats.values())
            seats.sort(key=lambda seat: (-self._wealth(seat), seat.place))
            return [seat.endpoint for seat in seats[:want]]
        found: list[Endpoint] = []
        while heads and len(found) < want:
            seat = self._richest(heads)
            found.append(seat.endpoint)
            heads.remove(seat)
            # Those behind it in the heap are poorer than it, and richer than all that are behind them.
            heads.extend(seat.line[2 * seat.at + 1 : 2 * seat.at + 3])
        return found

    def pick(self, endpoint: Endpoint) -> None:
        """It is given a turn, be it its own or not, and ignored if it left or has another weight."""
        seat = self._seats.get(endpoint.key)
        if seat is None or seat.endpoint.weight != endpoint.weight:
            return
        if self._wealth(seat) < -_MOST_AHEAD * _ONE * self._total:
            return
        seat.picks += _ONE
        seat.step_back()
        self._picks += _ONE
        if self._picks >= _MUCH:
            self._start_over()

    def _wealth(self, seat: _Seat) -> int:
        """In units of `_ONE`."""
        return seat.endpoint.weight * (self._picks + _ONE) - self._total * seat.picks

    def _richest(self, seats: list[_Seat]) -> _Seat:
        best = seats[0]
        if len(seats) == 1:
            return best
        most = self._wealth(best)
        for seat in seats:
            wealth = self._wealth(seat)
            if wealth > most or (wealth == most and seat.place < best.place):
                best = seat
                most = wealth
        return best

    def _start_over(self) -> None:
        """A full cycle returns everybody's wealth to its beginning; subtracting keeps the numbers small."""
        cycles = self._picks // (self._total * _ONE)
        for seat in self._seats.values():
            seat.picks -= cycles * seat.endpoint.weight * _ONE
        self._picks -= cycles * self._total * _ONE


def _places(listed: tuple[Endpoint, ...]) -> dict[str, int]:
    """The first of each key."""
    places: dict[str, int] = {}
    for place, endpoint in enumerate(listed):
        places.setdefault(endpoint.key, place)
    return places
