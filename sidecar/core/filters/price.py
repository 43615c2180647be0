"""Only endpoints that the request can pay: by its own limit, its tenant's, and what is left of the month.

What a request will cost is an estimate, by the tokens that it is likely to take. So a budget holds as well as
the estimate does, and better where outcomes tell how many tokens were taken.
"""

from collections.abc import Mapping
from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.filters.base import Filter, Sieve
from sidecar.core.refusal import Reason
from sidecar.core.request import Request
from sidecar.core.rules.base import Field, quoted
from sidecar.core.rules.tokens import Tokens
from sidecar.core.state.memory import State
from sidecar.core.state.spend import cost_micro_usd, month_of
from sidecar.core.state.tickets import Ticket

_NONE: Final = -1
_MOST_DIGITS: Final = 256
_SIGNS: Final = ("+", "-")
_FARTHEST: Final = 2 * _MOST_DIGITS
"""Places that the point may move: beyond, every number is nothing, or more than the most."""
_MOST_MICRO_USD: Final = 10**15
"""A thousand million dollars."""


@final
class Budget:
    """In millionths of a dollar; negative is no limit."""

    def __init__(self, per_request_micro_usd: int = _NONE, per_month_micro_usd: int = _NONE) -> None:
        self.per_request_micro_usd: Final = per_request_micro_usd
        self.per_month_micro_usd: Final = per_month_micro_usd


@final
class _Payable(Sieve):
    def __init__(self, most_micro_usd: int, whose: str, input: int, output: int, kept: str) -> None:
        # Whoever names a tenant is told this: so neither amounts nor names stand in it.
        super().__init__("what the request may cost", kept, reason=Reason.BUDGET_EXCEEDED)
        self._whose: Final = whose
        self._most: Final = most_micro_usd
        self._input: Final = input
        self._output: Final = output

    def why_not(self, endpoint: Endpoint) -> str:
        cost = cost_micro_usd(endpoint, self._input, self._output)
        if cost <= self._most:
            return ""
        return f"it would cost {dollars(cost)}, and {dollars(self._most)} is {self._whose}"


@final
class Price(Filter):
    """`prices` are the different prices (input, output) of endpoints, in millionths of a dollar for 1,000
    tokens; those without one cost nothing. `most` are fields that may hold the request's own limit in
    dollars; what is no number there, or a negative one, counts for nothing. `budgets` are by tenant.

    Requests that can pay the same prices share what is kept of it.
    """

    def __init__(
        self,
        tokens: Tokens,
        prices: frozenset[tuple[int, int]],
        most: tuple[Field, ...] = (),
        tenant: Field | None = None,
        budgets: Mapping[str, Budget] | None = None,
    ) -> None:
        self._tokens: Final = tokens
        self._prices: Final = sorted(prices)
        self._most: Final = most
        self._tenant: Final = tenant
        self._budgets: Final = {} if budgets is None else dict(budgets)

    def sieve(self, request: Request, state: State, now: float) -> Sieve | None:
        limit = self._own_limit(request)
        whose = "the request's own limit"
        tenant = self._tenant_of(request)
        budget = self._budgets.get(tenant) if tenant else None
        if budget is not None:
            per_request = budget.per_request_micro_usd
            if per_request >= 0 and (limit < 0 or per_request < limit):
                limit = per_request
                whose = f"what tenant {quoted(tenant)} pays for a request"
            if budget.per_month_micro_usd >= 0:
                spent = state.spend.of(tenant, month_of(request.received_at))
                left = max(budget.per_month_micro_usd - spent, 0)
                if limit < 0 or left < limit:
                    limit = left
                    whose = f"what tenant {quoted(tenant)} has left of this month"
        if limit < 0:
            return None
        asked = self._tokens.input(request)
        answered = self._tokens.output(request)
        too_dear = ""
        for at, price in enumerate(self._prices):
            if -(-(price[0] * asked + price[1] * answered) // 1000) > limit:
                too_dear += f" {at}"
        return _Payable(limit, whose, asked, answered, f"prices but{too_dear}") if too_dear else None

    def admitted(self, request: Request, ticket: Ticket, state: State) -> None:
        """Reserve what it is likely to cost its tenant."""
        tenant = self._tenant_of(request)
        budget = self._budgets.get(tenant) if tenant else None
        if budget is not None and budget.per_month_micro_usd >= 0:
            state.spend.reserve(
                ticket,
                tenant,
                month_of(request.received_at),
                self._tokens.input(request),
                self._tokens.output(request),
            )

    def _tenant_of(self, request: Request) -> str:
        if self._tenant is not None and self._budgets:
            for tenant in self._tenant.read(request):
                return tenant
        return ""

    def _own_limit(self, request: Request) -> int:
        for field in self._most:
            for value in field.read(request):
                limit = micro_usd(value)
                if limit >= 0:
                    return limit
        return _NONE


def micro_usd(text: str) -> int:
    """Of dollars such as `0.05`, `.05`, `$0.05` or `5e-2`, to the millionth below; negative when it is none.

    Digit by digit, because many fractions as doubles are a little less than they say.
    """
    mantissa, mark, power = text.strip().removeprefix("+").removeprefix("$").lower().partition("e")
    whole, _, part = mantissa.partition(".")
    digits = whole + part
    if not 0 < len(digits) <= _MOST_DIGITS or not (digits.isascii() and digits.isdigit()):
        return _NONE
    point = len(whole) + 6
    if mark:
        below = power.startswith("-")
        number = power[1:] if power[:1] in _SIGNS else power
        if not 0 < len(number) <= _MOST_DIGITS or not (number.isascii() and number.isdigit()):
            return _NONE
        shift = min(int(number), _FARTHEST)
        point += -shift if below else shift
    if point <= 0:
        return 0
    return min(int(digits[:point].ljust(point, "0")), _MOST_MICRO_USD)


def dollars(micro_usd: int) -> str:
    """`$0.05`; with as many digits as it needs, and at least two behind the point."""
    part = f"{micro_usd % 1_000_000:06d}".rstrip("0")
    return f"${micro_usd // 1_000_000}.{part.ljust(2, '0')}"
