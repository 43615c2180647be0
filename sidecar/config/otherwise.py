"""What becomes of an arm's requests while nobody in it may be picked: who stands in, a fixed answer, a panic.

Clusters say it, and routes have pools of several. Of such a pool everybody counts who stands in for one of
its clusters, in their order, then the first answer that one of them has; without either, the largest panic.
"""

from typing import Final, final

from sidecar.config import schema
from sidecar.config.actions import compile_respond
from sidecar.config.errors import Findings, Where
from sidecar.config.health import otherwise_of
from sidecar.config.matches import method_names
from sidecar.config.retries import Chain, panic_of
from sidecar.config.sections import Draft
from sidecar.config.targets import Chosen, Targets
from sidecar.core.endpoint import Endpoint
from sidecar.core.plan import Variant
from sidecar.core.reply import Reply
from sidecar.core.strategies.failover import Link
from sidecar.core.strategies.weighted_round_robin import WeightedRoundRobin


@final
class End:
    """How an arm ends: `chain` is where else its requests may go, `reply` the answer where that fails too."""

    def __init__(self, chain: Chain, reply: Reply | None, panic: float) -> None:
        self.chain: Final = chain
        self.reply: Final = reply
        self.panic: Final = panic


@final
class Ends:
    """Finds what is wrong in the clusters when it is made, so that each is told once."""

    def __init__(self, drawn: Draft, targets: Targets, findings: Findings) -> None:
        self._clusters: Final = drawn.clusters
        self._targets: Final = targets
        self._methods: Final[dict[str, frozenset[str] | None]] = {}
        self._there: Final[dict[str, tuple[Endpoint, ...]]] = {}
        for name, cluster in drawn.clusters.items():
            otherwise = otherwise_of(cluster)
            if otherwise is not None:
                place = ("clusters", name, "breaker", "otherwise")
                self._check(name, otherwise, place, findings)
                if cluster.health.panic:
                    findings.note(
                        ("clusters", name, "health", "panic"),
                        "never counts, as breaker.otherwise comes before it",
                        "leave out one of them",
                    )

    def _check(self, name: str, otherwise: schema.Otherwise, place: Where, findings: Findings) -> None:
        if (otherwise.to is None) == (otherwise.respond is None):
            got = "none" if otherwise.to is None else "to and respond"
            findings.add(place, f"needs exactly one of to, respond, got {got}")
        self._methods[name] = None
        if otherwise.methods is not None:
            if otherwise.to is None:
                findings.add(
                    (*place, "methods"), "says what may go to a cluster, and there is none", "leave it out"
                )
            methods = method_names(otherwise.methods, (*place, "methods"), findings)
            self._methods[name] = frozenset(methods or ())
        if otherwise.respond is not None:
            compile_respond("", otherwise.respond, (*place, "respond"), findings)
        if otherwise.to is None:
            return
        endpoints = self._targets.cluster(otherwise.to, (*place, "to"))
        if otherwise.to == name:
            findings.add((*place, "to"), "is the cluster itself", "name another, or leave it out")
        elif endpoints is not None:
            self._there[otherwise.to] = endpoints
            if not any(endpoint.weight for endpoint in endpoints):
                findings.add(
                    (*place, "to"),
                    "every endpoint there has weight 0",
                    "give one a weight, as none could ever be picked",
                )

    def of(self, route: str, arm: Chosen, chain: Chain, where: Where, findings: Findings) -> End:
        """Of an arm that goes on along this chain. What contradicts itself is noted."""
        clusters = list(dict.fromkeys(endpoint.cluster for endpoint in arm.endpoints))
        said = [(name, otherwise_of(self._clusters[name])) for name in clusters]
        reply = self._reply(route, said, where, findings)
        named = {endpoint.cluster for endpoint in (*arm.endpoints, *chain.endpoints())}
        stand_ins: dict[str, str] = {}
        for name, otherwise in said:
            if otherwise is None or otherwise.to is None:
                continue
            if otherwise.to in clusters:
                findings.note(
                    where,
                    f"{otherwise.to} is to stand in for {name}, and is in the pool with it",
                    "name another in breaker.otherwise",
                )
            elif otherwise.to not in named and otherwise.to in self._there:
                stand_ins.setdefault(otherwise.to, name)
        variants: list[Variant] = []
        links: list[Link] = []
        for to, name in stand_ins.items():
            endpoints = self._there[to]
            pool = f"{route}/{arm.name}/otherwise/{to}"
            ends = reply is None and to == list(stand_ins)[-1]
            made = Variant(
                to,
                pool,
                endpoints,
                WeightedRoundRobin(),
                "weighted_round_robin",
                panic=panic_of(endpoints, self._clusters) if ends else 0.0,
                linked=not ends,
            )
            variants.append(made)
            links.append(Link(made.strategy, pool, last=True, methods=self._methods.get(name)))
        whole = chain.then(Chain(tuple(variants), tuple(links)))
        alone = not whole.variants and reply is None
        return End(whole, reply, panic_of(arm.endpoints, self._clusters) if alone else 0.0)

    def _reply(
        self,
        route: str,
        said: list[tuple[str, schema.Otherwise | None]],
        where: Where,
        findings: Findings,
    ) -> Reply | None:
        first: tuple[str, schema.Respond] | None = None
        for name, otherwise in said:
            if otherwise is None or otherwise.respond is None:
                continue
            if first is None:
                first = (name, otherwise.respond)
            elif otherwise.respond != first[1]:
                findings.note(
                    where,
                    f"the clusters {first[0]} and {name} of its pool have different answers in "
                    f"breaker.otherwise, and that of {first[0]} counts",
                    "give both the same",
                )
        return None if first is None else compile_respond(route, first[1], where, Findings())
