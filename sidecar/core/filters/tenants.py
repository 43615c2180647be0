"""What is set down for a tenant: which endpoints it may have, and which of them it would rather have."""

from collections.abc import Mapping
from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.filters.base import Filter, Sieve
from sidecar.core.filters.named import Preference, is_one_of
from sidecar.core.request import Request
from sidecar.core.rules.base import Field, quoted
from sidecar.core.state.memory import State


@final
class _Allowed(Sieve):
    def __init__(self, tenant: str, words: frozenset[str]) -> None:
        super().__init__(f"tenant {quoted(tenant)}", f"tenant {tenant}")
        self._words: Final = words

    def why_not(self, endpoint: Endpoint) -> str:
        return "" if is_one_of(endpoint, self._words) else f"{self.name} may not have it"


@final
class Allowed(Filter):
    """`allowed` are the clusters and endpoints of each tenant, by name; one that is not in it has all."""

    def __init__(self, tenant: Field, allowed: Mapping[str, frozenset[str]]) -> None:
        self._tenant: Final = tenant
        self._sieves: Final = {each: _Allowed(each, allowed[each]) for each in allowed}

    def sieve(self, request: Request, state: State, now: float) -> Sieve | None:
        for tenant in self._tenant.read(request):
            return self._sieves.get(tenant)
        return None


@final
class Favoured(Filter):
    """`favoured` are the clusters and endpoints that each tenant prefers, in this order."""

    def __init__(self, tenant: Field, favoured: Mapping[str, tuple[str, ...]]) -> None:
        self._tenant: Final = tenant
        self._sieves: Final = {
            each: Preference(f"tenant {quoted(each)}", favoured[each], f"for tenant {each}")
            for each in favoured
        }

    def sieve(self, request: Request, state: State, now: float) -> Sieve | None:
        for tenant in self._tenant.read(request):
            return self._sieves.get(tenant)
        return None
