"""What each tenant spent in each month, in whole millionths of a dollar.

What a request may cost is reserved when it is admitted: else all that are under way at once could spend the
same rest of a budget. A retry may bring it to the dearest of its endpoints.
"""

from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.outcome import Failure, Outcome
from sidecar.core.state.base import Changes, Keeper, Learner, count, finite
from sidecar.core.state.tickets import Ticket
from sidecar.core.state.verdict import Verdict, of_last

_DAY_S: Final = 86_400
_MONTHS_KEPT: Final = 2
_LONG_AGO_S: Final = 62 * 86_400.0
"""What was spent before that is of a month that nobody asks for."""


def cost_micro_usd(endpoint: Endpoint, input: int, output: int) -> int:
    """Of a request with so many tokens there, rounded up; 0 where the endpoint has no price."""
    if endpoint.input_micro_usd < 0 or endpoint.output_micro_usd < 0:
        return 0
    return -(-(endpoint.input_micro_usd * input + endpoint.output_micro_usd * output) // 1000)


def month_of(received_at: float) -> int:
    """The month in UTC, counted from January of the year 0: by seconds since 1970.

    Days become years and months by H. Hinnant, "chrono-compatible low-level date algorithms", 2013
    (`civil_from_days`): years begin in March, so that the day that comes and goes is their last.
    """
    days = int(received_at // _DAY_S) + 719_468
    era, day = divmod(days, 146_097)
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day_of_year = day - (365 * year + year // 4 - year // 100)
    months_from_march = (5 * day_of_year + 2) // 153
    return (era * 400 + year) * 12 + months_from_march + 2


def _dearest(ticket: Ticket, input: int, output: int) -> int:
    """What it costs at most, wherever it is answered."""
    cost = cost_micro_usd(ticket.endpoint, input, output)
    for endpoint in ticket.fallbacks:
        cost = max(cost, cost_micro_usd(endpoint, input, output))
    return cost


@final
class _Reserved:
    def __init__(self, tenant: str, month: int, input: int, output: int, micro_usd: int) -> None:
        self.tenant: Final = tenant
        self.month: Final = month
        self.input: Final = input
        self.output: Final = output
        self.micro_usd: Final = micro_usd


@final
class Spend(Learner, Keeper):
    """Of tenants that have a budget for the month. The two months that began last are remembered; tenants
    whose last month is longer ago are forgotten with the next plan.

    A request is charged the tokens that it took, where its outcome tells them, else those that were
    estimated, at the price of who answered at last, or of the dearest of those who may have. Of those told,
    as many as were estimated were asked, and the others answered. One that failed, and one that came to no
    endpoint, is charged nothing; one of which nobody knows how it ended is charged, because it may well have
    been answered.
    """

    def __init__(self) -> None:
        self._months: Final[dict[str, dict[int, int]]] = {}
        """Spent and reserved, by tenant and month."""
        self._reserved: Final[dict[int, _Reserved]] = {}
        """By the number of the ticket."""
        self._changes: Final = Changes()
        self._month: int = 0
        """In which something was reserved last."""

    def of(self, tenant: str, month: int) -> int:
        """What it spent in this month, and what its requests under way have reserved."""
        months = self._months.get(tenant)
        return 0 if months is None else months.get(month, 0)

    def reserve(self, ticket: Ticket, tenant: str, month: int, input: int, output: int) -> None:
        """Of a request of this tenant, received in this month, with so many tokens."""
        cost = _dearest(ticket, input, output)
        self._reserved[ticket.id] = _Reserved(tenant, month, input, output, cost)
        self._month = month
        months = self._months.get(tenant)
        if months is None:
            months = self._months[tenant] = {}
        if month not in months:
            if len(months) == _MONTHS_KEPT:
                del months[next(iter(months))]
            months[month] = 0
        months[month] += cost
        self._changes.add(tenant)

    def settled(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        reserved = self._reserved.pop(ticket.id, None)
        if reserved is None:
            return
        cost = 0
        if of_last(outcome) is not Verdict.FAILED and outcome.failure is not Failure.REFUSED:
            server: Endpoint | None = ticket.endpoint
            if outcome.attempts > 1 or outcome.failure is Failure.LOST:
                server = ticket.server(outcome.served) if outcome.served else None
            asked, answered = reserved.input, reserved.output
            if outcome.tokens >= 0:
                asked = min(asked, outcome.tokens)
                answered = outcome.tokens - asked
            if server is None:
                cost = _dearest(ticket, asked, answered)
            else:
                cost = cost_micro_usd(server, asked, answered)
        months = self._months.get(reserved.tenant)
        if months is not None and reserved.month in months:
            months[reserved.month] += cost - reserved.micro_usd
            self._changes.add(reserved.tenant)

    def keep_endpoints(self, keys: set[str]) -> None:
        """Tenants come and go with plans: those that spent nothing this month and the last are forgotten."""
        for tenant in list(self._months):
            for month in self._months[tenant]:
                if abs(month - self._month) < _MONTHS_KEPT:
                    break
            else:
                del self._months[tenant]
                self._changes.add(tenant)

    def changed(self) -> set[str]:
        return self._changes.take()

    def row(self, key: str, now: float) -> list[float] | None:
        """Each month, and what was spent in it; what was reserved is taken for spent, because nobody will
        tell the next process how those requests ended. Months are the calendar's, not a clock's."""
        months = self._months.get(key)
        if months is None:
            return None
        row = []
        for month, micro_usd in months.items():
            row.append(float(month))
            row.append(float(micro_usd))
        return row

    def restore(self, key: str, row: list[float], away_s: float, now: float) -> None:
        if not finite(row, 2) or len(row) % 2 or len(row) > 2 * _MONTHS_KEPT:
            raise ValueError(f"not what was spent: {row[:4]}")
        months = {count(row[at]): count(row[at + 1]) for at in range(0, len(row), 2)}
        if len(months) < len(row) // 2:
            raise ValueError(f"not what was spent: {row[:4]}")
        if away_s < _LONG_AGO_S:
            self._months[key] = months
