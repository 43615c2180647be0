"""Passes over endpoints that have fewer tokens left in this minute than the request is likely to take.

Those that have none left are not among the candidates at all. It is for routes to endpoints that have a limit
of tokens, and as long as all have plenty left, nothing is looked for.
"""

from typing import Final, final

from sidecar.core.endpoint import Candidates, Endpoint
from sidecar.core.filters.base import Filter, Sieve
from sidecar.core.refusal import Reason
from sidecar.core.request import Request
from sidecar.core.rules.tokens import Tokens
from sidecar.core.state.memory import State
from sidecar.core.state.quotas import Quotas


@final
class _Enough(Sieve):
    def __init__(self, tokens: int, quotas: Quotas, now: float) -> None:
        super().__init__(f"{tokens} tokens", reason=Reason.RATE_LIMITED)
        self._tokens: Final = tokens
        self._quotas: Final = quotas
        self._now: Final = now

    def why_not(self, endpoint: Endpoint) -> str:
        left = self._quotas.tokens_left(endpoint.key, self._now)
        if left >= self._tokens:
            return ""
        return f"it has {max(left, 0)} tokens left this minute, the request is likely to take {self._tokens}"

    def among(self, candidates: Candidates) -> list[Endpoint]:
        quotas, tokens, now = self._quotas, self._tokens, self._now
        return [each for each in candidates.endpoints if quotas.tokens_left(each.key, now) >= tokens]


@final
class Quota(Filter):
    """`tokens` says how many a request is likely to take; the plan's own, so that as many are reserved."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens: Final = tokens

    def sieve(self, request: Request, state: State, now: float) -> Sieve | None:
        tokens = self._tokens.total(request)
        return _Enough(tokens, state.quotas, now) if state.quotas.short(tokens) else None
