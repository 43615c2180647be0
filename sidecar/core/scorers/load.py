"""How idle an endpoint is, beside the least busy one."""

from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.scorers.base import Asked, Scorer

_AT_REST: Final = 0.25
_MOST: Final = 10.0
"""Times what an endpoint can do: beyond, it is no busier."""


@final
class Load(Scorer):
    """The least business / the endpoint's, with business = (utilisation + 0.25) x (in flight / weight + 1).

    Utilisation is what endpoints report; where one of them reports none, it is left out for all. So with
    equal reports an endpoint that has k times the requests of the least busy one, this one among them, has
    1 / k: what Envoy's least request balancer makes of an endpoint's weight (weight / (active + 1), at its
    usual `active_request_bias`). What speaks for normalising by those compared is that five requests more
    mean much among few and little among many; the queue scorer of Kubernetes' Gateway API inference
    extension does so too, but stretches any difference to all from 0 to 1.
    """

    def score(self, asked: Asked, endpoints: list[Endpoint], weights: list[float]) -> list[float]:
        load, reports, now = asked.state.load, asked.state.reports, asked.now
        ours: list[float] = []
        whole: list[float] = []
        for at, endpoint in enumerate(endpoints):
            own = load.of(endpoint.key) / weights[at] + 1.0
            ours.append(own)
            if len(whole) == at:
                told = reports.utilisation(endpoint.key, now)
                if told >= 0.0:
                    whole.append(own * (min(told, _MOST) + _AT_REST))
        busy = whole if len(whole) == len(endpoints) else ours
        least = min(busy)
        return [least / each for each in busy]

    def unknown(self) -> float:
        return 1.0
