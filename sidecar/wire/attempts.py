"""A decision's endpoints as Envoy follows them: a cluster, an address for each attempt, when to try again.

Envoy takes the n-th address of the list for attempt n, and where the list ends it goes on as it likes. So the
list has an address for each attempt, from the first again where endpoints are fewer. Where they lie in
several clusters, a cluster of Envoy's own sends attempt n to the n-th of these, and the list goes on there.
"""

from collections.abc import Sequence
from itertools import cycle, islice
from typing import Final

from sidecar import names
from sidecar.core.decision import Decision
from sidecar.core.endpoint import Endpoint, names_an_ip
from sidecar.core.outcome import Failure
from sidecar.core.retries import Retries

_BY_ENVOY: Final = {
    Failure.CONNECTION: ("connect-failure", "refused-stream", "reset-before-request"),
    Failure.TIMEOUT: ("reset",),  # for Envoy, an attempt that it ends itself is one that was reset
    Failure.RESET: ("reset",),
}


def attempts(decision: Decision) -> tuple[str, list[str]]:
    """(cluster, addresses in the order of the attempts). No address where Envoy is to pick it."""
    tries, joined = _tries(decision)
    cluster = names.CLUSTER_JOINT.join(each.cluster for each in tries) if joined else tries[0].cluster
    return cluster, _addresses(tries)


def rearranged(decision: Decision) -> list[Endpoint] | None:
    """Who is asked in each attempt, where that is not the list of the decision, from its beginning again."""
    if decision.retries is None:
        return None
    tries, _ = _tries(decision)
    named = [decision.endpoint, *decision.fallbacks]
    return None if tries == list(islice(cycle(named), len(tries))) else tries


def _tries(decision: Decision) -> tuple[list[Endpoint], bool]:
    """(the endpoint of each attempt, whether they go to a cluster that joins theirs). Of a request that is
    sent once, all that are in its cluster."""
    first = decision.endpoint
    named = [first, *decision.fallbacks]
    own = [endpoint for endpoint in named if endpoint.cluster == first.cluster]
    retries = decision.retries
    if retries is None:
        return own, False
    tries = list(islice(cycle(named), retries.attempts))
    if tuple(endpoint.cluster for endpoint in tries) in retries.orders:  # as nearly always
        return tries, True
    if len(own) < len(named):
        fitting = _fitting(named, retries)
        if fitting:
            return fitting, True
    return list(islice(cycle(own), retries.attempts)), False


def _fitting(named: list[Endpoint], retries: Retries) -> list[Endpoint]:
    """The attempts of the order that goes to the most of these endpoints, and as early as it can to the
    better ones; none where every order that begins like the first goes to a cluster of none of them."""
    best: list[int] = []
    for order in retries.orders:
        places = _places(named, order)
        if places and (not best or (-len(set(places)), places) < (-len(set(best)), best)):
            best = places
    return [named[place] for place in best]


def _places(named: list[Endpoint], order: tuple[str, ...]) -> list[int]:
    """For each attempt the place of its endpoint: of those of its cluster the next, and in the end the first
    again. None where one has no endpoint."""
    if order[0] != named[0].cluster:
        return []
    in_cluster: dict[str, list[int]] = {}
    for place, endpoint in enumerate(named):
        in_cluster.setdefault(endpoint.cluster, []).append(place)
    asked = dict.fromkeys(order, 0)
    places: list[int] = []
    for cluster in order:
        those = in_cluster.get(cluster)
        if those is None:
            return []
        places.append(those[asked[cluster] % len(those)])
        asked[cluster] += 1
    return places


def picked(decision: Decision) -> list[str]:
    """The addresses in their order, each once, for a gateway that has retries of its own."""
    named = (decision.endpoint, *decision.fallbacks)
    return [endpoint.address for endpoint in named if endpoint.address]


def _addresses(tries: Sequence[Endpoint]) -> list[str]:
    """Of host names only the first, for Envoy finds one by its name but follows no list of them."""
    found: list[str] = []
    for endpoint in tries:
        if endpoint.address and not names_an_ip(endpoint.address):
            return found or [endpoint.address]
        if endpoint.address:
            found.append(endpoint.address)
    return found


def retry_headers(retries: Retries) -> list[tuple[str, str]]:
    """By which Envoy tries again, for this request alone."""
    when = ["retriable-status-codes"] if retries.statuses else []
    for failure in retries.failures:
        when += _BY_ENVOY[failure]
    told = [
        (names.RETRY_ON_HEADER, ",".join(dict.fromkeys(when))),
        (names.RETRIES_HEADER, str(retries.attempts - 1)),
    ]
    if retries.statuses:
        told.append((names.RETRY_STATUSES_HEADER, ",".join(map(str, retries.statuses))))
    if retries.per_try_s >= 0:
        told.append((names.TRY_TIMEOUT_HEADER, milliseconds(retries.per_try_s)))
    return told


def milliseconds(seconds: float) -> str:
    """0 stays 0, which is no limit for Envoy, and nothing else becomes 0."""
    return str(max(round(seconds * 1000), 1 if seconds else 0))
