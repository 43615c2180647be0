"""Why nobody is left for a request: what it asks itself, a budget, quotas, health, or that nobody is there.

Asked only of requests that are refused.
"""

from typing import Final

from sidecar.core.filters.base import Sieve
from sidecar.core.plan import Route, Variant
from sidecar.core.refusal import Reason, Refusal
from sidecar.core.reply import Reply
from sidecar.core.state.memory import State
from sidecar.core.state.standing import GONE, OUT, RESTING

_ALL_SPENT: Final = "every endpoint has had all that it may have this minute"


def nobody(route: Route, variant: Variant, sieves: list[Sieve] | None, state: State) -> Refusal | Reply:
    """The answer to a request that nobody may have: in words, where that is its own doing.

    Where somebody would have it but for health, that is the reason, and the answer is the one that the plan
    has for this, if any.
    """
    for sieve in sieves or ():
        if sieve.reason is Reason.INVALID_REQUEST:
            return Refusal(sieve.reason, route.name, message=sieve.name)
    if _for_quota(variant, sieves, state):
        return Refusal(Reason.RATE_LIMITED, route.name, message=_ALL_SPENT)
    asked = [] if sieves is None else [sieve for sieve in sieves if not sieve.soft]
    if _for_health(variant, asked, state):
        if variant.otherwise is not None:
            return variant.otherwise
        return Refusal(Reason.NO_HEALTHY_ENDPOINT, route.name)
    if not asked:
        return Refusal(Reason.NO_ENDPOINT, route.name)
    for sieve in asked:
        if sieve.reason is Reason.BUDGET_EXCEEDED and _but_for(sieve, variant, asked, state):
            return Refusal(sieve.reason, route.name, message=f"no endpoint for {sieve.name}")
    names = " and ".join([sieve.name for sieve in asked])
    return Refusal(Reason.NO_ENDPOINT, route.name, message=f"no endpoint for {names}")


def _but_for(sieve: Sieve, variant: Variant, asked: list[Sieve], state: State) -> bool:
    """Whether the request could have somebody without this one."""
    others = [other for other in asked if other is not sieve]
    for arm in (variant, *variant.links):
        for endpoint in state.pools.of(arm.pool).candidates.endpoints:
            for other in others:
                if other.why_not(endpoint):
                    break
            else:
                return True
    return False


def _for_health(variant: Variant, asked: list[Sieve], state: State) -> bool:
    """Whether somebody whom the request may have is there, and out."""
    level = state.standing.level
    for arm in (variant, *variant.links):
        for endpoint in arm.endpoints:
            if endpoint.weight > 0 and level(endpoint.key) in {RESTING, OUT}:
                for sieve in asked:
                    if sieve.why_not(endpoint):
                        break
                else:
                    return True
    return False


def _for_quota(variant: Variant, sieves: list[Sieve] | None, state: State) -> bool:
    """Whether somebody would be left, were it not for quotas."""
    if len(state.quotas) == 0:
        return False
    level = state.standing.level
    for pool in (variant, *variant.links):
        if sieves is None:
            roster = state.pools.of(pool.pool).roster
            if roster is not None and roster.spent:
                return True
            continue
        for endpoint in pool.endpoints:
            if endpoint.weight > 0 and level(endpoint.key) not in {RESTING, OUT, GONE}:
                for sieve in sieves:
                    if not sieve.soft and sieve.reason is not Reason.RATE_LIMITED and sieve.why_not(endpoint):
                        break
                else:
                    return True
    return False
