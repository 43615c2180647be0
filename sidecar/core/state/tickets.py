"""Open tickets: each ties one outcome to its decision, and is settled exactly once.

Tickets lie in the order of their admission, which is the order in which their leases end, so that
expiry looks only at the oldest. A dictionary keeps that order and finds a ticket by its number. Where a
reload made leases shorter, new ones end with the last of the longer ones, so that the order stays.
"""

from collections.abc import Sequence
from typing import Final, final

from mypy_extensions import mypyc_attr

from sidecar.core.endpoint import Endpoint

_SERIAL_BITS: Final = 40
TICKET_BITS: Final = 60


@final
@mypyc_attr(acyclic=True)
class Ticket:
    """One admitted request. `expires_at` is when its lease ends, in seconds of the engine's clock.

    `fallbacks` are where a retry may have gone, and `asked` is who is asked in each attempt, where whoever
    sends the request goes another way than along these. `again_for` are the statuses for which it is asked
    again. `context` is what the request was like, in one number, where somebody learns from that; else
    negative. `tokens` is how many the request was likely to take, 0 where nobody counts them; `account` is
    where they were counted (`Quotas`). `trial` is above 0 while the request shows whether its endpoint has
    recovered: the generation of the breaker then (`Breakers`).
    """

    def __init__(
        self,
        id: int,
        route: str,
        variant: str,
        pool: str,
        endpoint: Endpoint,
        generation: int,
        admitted_at: float,
        expires_at: float,
        method: str = "",
        fallbacks: Sequence[Endpoint] = (),
        tokens: int = 0,
    ) -> None:
        self.id: Final = id
        self.route: Final = route
        self.variant: Final = variant
        self.pool: Final = pool
        self.endpoint: Final = endpoint
        self.generation: Final = generation
        self.admitted_at: Final = admitted_at
        self.expires_at: Final = expires_at
        self.method: Final = method
        self.fallbacks: Final = fallbacks
        self.context: int = -1
        self.tokens: Final = tokens
        self.account: int = 0
        self.trial: int = 0
        self.asked: Sequence[Endpoint] | None = None
        self.again_for: Sequence[int] = ()

    def attempt(self, number: int) -> Endpoint:
        """Who is asked in this attempt, which counts from 1: along the list, and from its beginning again."""
        asked = self.asked
        if asked is not None:
            return asked[(number - 1) % len(asked)]
        at = (number - 1) % (len(self.fallbacks) + 1)
        return self.fallbacks[at - 1] if at else self.endpoint

    def server(self, address: str) -> Endpoint | None:
        """Who has this address, in canonical form, of those that the decision named; None when nobody has."""
        if self.endpoint.address == address:
            return self.endpoint
        for endpoint in self.fallbacks:
            if endpoint.address == address:
                return endpoint
        return None


@final
class Tickets:
    """`epoch` (20 bits) is drawn at start, so that a number from before a restart settles nothing.

    At most `most` tickets are open; `crowded()` says when the oldest have to be given up.
    """

    def __init__(self, epoch: int, most: int = 200_000) -> None:
        if most < 1:
            raise ValueError(f"most must be at least 1, got {most}")
        self._next_id: int = (epoch & 0xFFFFF) << _SERIAL_BITS
        self._most: Final = most
        self._open: dict[int, Ticket] = {}
        self._last_expiry: float = float("-inf")
        self.opened: int = 0
        self.reported: int = 0
        self.lost: int = 0
        self.unknown: int = 0

    def __len__(self) -> int:
        return len(self._open)

    def open(
        self,
        route: str,
        variant: str,
        pool: str,
        endpoint: Endpoint,
        generation: int,
        now: float,
        lease_s: float,
        method: str = "",
        fallbacks: Sequence[Endpoint] = (),
        tokens: int = 0,
    ) -> Ticket:
        self._next_id += 1
        expires_at = max(now + lease_s, self._last_expiry)
        self._last_expiry = expires_at
        ticket = Ticket(
            self._next_id,
            route,
            variant,
            pool,
            endpoint,
            generation,
            now,
            expires_at,
            method,
            fallbacks,
            tokens,
        )
        self._open[ticket.id] = ticket
        self.opened += 1
        return ticket

    def waiting(self, id: int) -> Ticket | None:
        """The open ticket with this number; None where there is none."""
        return self._open.get(id)

    def close(self, id: int) -> Ticket | None:
        """Take the reported ticket out; None when it is unknown, expired or already closed."""
        ticket = self._open.pop(id, None)
        if ticket is None:
            self.unknown += 1
        else:
            self.reported += 1
        return ticket

    def overdue(self, now: float) -> list[Ticket]:
        """Take out the tickets whose lease has ended."""
        due: list[Ticket] = []
        for ticket in self._open.values():
            if ticket.expires_at > now:
                break
            due.append(ticket)
        return self._lose(due)

    def crowded(self) -> bool:
        return len(self._open) >= self._most

    def oldest(self) -> list[Ticket]:
        """Take out the oldest hundredth, at least one: many at once, because finding the first is a scan."""
        wanted = max(len(self._open) // 100, 1)
        due: list[Ticket] = []
        for ticket in self._open.values():
            if len(due) == wanted:
                break
            due.append(ticket)
        return self._lose(due)

    def next_expiry(self) -> float | None:
        """When the oldest lease ends."""
        for ticket in self._open.values():
            return ticket.expires_at
        return None

    def _lose(self, due: list[Ticket]) -> list[Ticket]:
        for ticket in due:
            del self._open[ticket.id]
        self.lost += len(due)
        return due
