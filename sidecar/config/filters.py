"""What requests may ask of endpoints, to the filters of each route; and by which strategies they may go.

A route gets only those filters that can make a difference for it: one whose clusters name no models is not
asked about models. So most requests are asked nothing.
"""

from collections.abc import Callable, Sequence
from typing import Final, final

from sidecar.config import schema
from sidecar.config.errors import Findings, Where, shown
from sidecar.config.facts import Facts
from sidecar.config.sections import Draft
from sidecar.config.strategies import Options, compile_strategy
from sidecar.core.endpoint import Endpoint
from sidecar.core.filters.base import Filter
from sidecar.core.filters.capabilities import Capabilities, Room
from sidecar.core.filters.latency import InTime
from sidecar.core.filters.models import Models
from sidecar.core.filters.named import Excluded, Preferred, is_one_of
from sidecar.core.filters.price import Budget, Price
from sidecar.core.filters.quota import Quota
from sidecar.core.filters.tenants import Allowed, Favoured
from sidecar.core.plan import StrategyChooser, Variant
from sidecar.core.registry import STRATEGIES
from sidecar.core.strategies.base import Strategy

_MILLION: Final = 1_000_000

_Pools = tuple[tuple[Endpoint, ...], ...]

Made = tuple[str, Callable[[], Strategy]]
"""A strategy's name, and what makes it."""


@final
class Conditions:
    """What one file says of tenants, and of what requests may ask."""

    def __init__(self, drawn: Draft, facts: Facts, options: Options, findings: Findings) -> None:
        self._facts: Final = facts
        self._drawn: Final = drawn
        config = drawn.config
        self._models: Final[dict[str, str]] = {
            model: facts.field("model").meant(model)
            for cluster in drawn.clusters.values()
            for model in cluster.models
        }
        self._allowed: Final[dict[str, frozenset[str]]] = {}
        self._favoured: Final[dict[str, tuple[str, ...]]] = {}
        self._budgets: Final[dict[str, Budget]] = {}
        self._by_tenant: Final[dict[str, str]] = {}
        self._words: frozenset[str] = frozenset()
        self._known: Final[
            dict[tuple[frozenset[str], tuple[int, ...]], tuple[_Pools, tuple[Filter, ...]]]
        ] = {}
        """By the identity of pools, which stay as long as this: many routes go to the same."""
        words = _words(drawn)
        for name, tenant in config.tenants.items():
            where = ("tenants", name)
            self._tenant(name, tenant, where, drawn, words, findings)
        if config.tenants and not facts.has_source("tenant"):
            findings.add(("tenants",), "context.tenant has no source", "give it one")
        if self._models and not facts.has_source("model"):
            findings.note(
                ("context", "model"),
                "has no source, so the models of clusters count for nothing",
                "give it one",
            )
        self._strategies: Final = self._offered(config, options, findings)
        self._note_prices(drawn, findings)

    def filters(
        self,
        route: schema.Route,
        variants: Sequence[Variant],
        links: Sequence[Variant],
        where: Where,
        findings: Findings,
    ) -> tuple[Filter, ...]:
        """Of the route whose requests go to these arms, and along these links."""
        needs = frozenset(route.needs or ())
        for arm in variants:
            for need in sorted(needs):
                if not any(
                    need in each.offer.capabilities or self._unsure(each.cluster) for each in arm.endpoints
                ):
                    findings.add(
                        (*where, "needs"),
                        f"no endpoint of {arm.name} has {need}",
                        "none could ever be picked",
                    )
        pools = tuple(arm.endpoints for arm in (*variants, *links))
        known = self._known.get((needs, tuple(map(id, pools))))
        if known is not None:
            return known[1]
        filters = self._filters(needs, [endpoint for pool in pools for endpoint in pool])
        self._known[needs, tuple(map(id, pools))] = (pools, filters)
        return filters

    def _filters(self, needs: frozenset[str], endpoints: list[Endpoint]) -> tuple[Filter, ...]:
        facts, sourced, key = self._facts, self._facts.has_source, self._facts.key
        if not endpoints:
            return ()
        found: list[Filter] = []
        if sourced("exclude"):
            found.append(Excluded(key("exclude")))
        tenant = facts.field("tenant")
        allowed = {
            name: words
            for name, words in self._allowed.items()
            if any(not is_one_of(endpoint, words) for endpoint in endpoints)
        }
        if allowed:
            found.append(Allowed(tenant, allowed))
        models = self._named({model for endpoint in endpoints for model in endpoint.offer.models})
        if models and sourced("model"):
            found.append(Models(facts.field("model"), models))
        if sourced("capabilities") or any(
            not needs.issubset(endpoint.offer.capabilities) for endpoint in endpoints
        ):
            found.append(Capabilities(needs, key("capabilities")))
        windows = frozenset(endpoint.offer.context_window for endpoint in endpoints)
        answers = (
            frozenset(endpoint.offer.max_tokens for endpoint in endpoints) if sourced("max_tokens") else ()
        )
        if any(windows) or any(answers):
            found.append(Room(facts.tokens, key("max_tokens"), windows, frozenset(answers)))
        prices = frozenset(
            (endpoint.input_micro_usd, endpoint.output_micro_usd)
            for endpoint in endpoints
            if endpoint.input_micro_usd >= 0 and endpoint.output_micro_usd >= 0
        )
        if prices and (self._budgets or sourced("max_price")):
            found.append(Price(facts.tokens, prices, key("max_price"), tenant, self._budgets))
        if any(endpoint.offer.tokens_per_minute for endpoint in endpoints):
            found.append(Quota(facts.tokens))
        if sourced("prefer"):
            found.append(Preferred(key("prefer")))
        favoured = {
            name: words
            for name, words in self._favoured.items()
            if any(is_one_of(endpoint, frozenset(words)) for endpoint in endpoints)
        }
        if favoured:
            found.append(Favoured(tenant, favoured))
        if sourced("latency_target") or sourced("deadline"):
            found.append(InTime(key("latency_target"), key("deadline")))
        return tuple(found)

    def others(self, pool: str, variant: Callable[[str, Made], Variant]) -> dict[str, Variant] | None:
        """The same arm by each of the strategies that may be chosen: `variant` makes it, for a name of a pool
        and a strategy."""
        if not self._strategies:
            return None
        return {word: variant(f"{pool} by {word}", made) for word, made in self._strategies.items()}

    @property
    def chooser(self) -> StrategyChooser | None:
        """None where no strategy may be chosen."""
        if not self._strategies:
            return None
        by_tenant = {name: word for name, word in self._by_tenant.items() if word in self._strategies}
        tenant = (self._facts.field("tenant"),) if by_tenant else ()
        return StrategyChooser(self._facts.key("strategy"), tenant, by_tenant, self._words)

    def _unsure(self, cluster: str) -> bool:
        """Whether it could not be read what the cluster can do."""
        return self._drawn.unsure(("clusters", cluster), "capabilities", "endpoints")

    def _tenant(
        self,
        name: str,
        tenant: schema.Tenant,
        where: Where,
        drawn: Draft,
        words: dict[str, set[str]],
        findings: Findings,
    ) -> None:
        sure = not drawn.unsure((), "clusters")
        for key in ("allow", "prefer"):
            for at, word in enumerate(getattr(tenant, key) or ()):
                if word not in words and sure and word not in drawn.lost_ids:
                    known = [name for name in words if not any(mark in name for mark in "/:")]
                    findings.unknown(
                        (*where, key, at), f"there is no cluster or endpoint {shown(word)}", word, known
                    )
        if tenant.allow is not None:
            if not tenant.allow:
                findings.add((*where, "allow"), "must not be empty", "list what it may have, or leave it out")
            self._allowed[name] = frozenset(tenant.allow)
            keys = {key for word in tenant.allow for key in words.get(word, ())}
            for at, word in enumerate(tenant.prefer):
                if word in words and keys.isdisjoint(words[word]):
                    findings.note(
                        (*where, "prefer", at), f"{shown(word)} is nothing that the tenant may have"
                    )
        if tenant.prefer:
            self._favoured[name] = tuple(dict.fromkeys(tenant.prefer))
        if tenant.budget is not None:
            budget = tenant.budget
            if (
                budget.per_request is None
                and budget.per_month is None
                and not drawn.unsure((*where, "budget"))
            ):
                findings.add((*where, "budget"), "limits nothing", "give it per_request or per_month")
            self._budgets[name] = Budget(_micro_usd(budget.per_request), _micro_usd(budget.per_month))

    def _named(self, models: set[str]) -> dict[str, frozenset[str]]:
        """What each of these means, with all names among them that mean it."""
        found: dict[str, set[str]] = {}
        for model in models:
            found.setdefault(self._models.get(model, model), set()).add(model)
        return {meant: frozenset(names) for meant, names in found.items()}

    def _offered(self, config: schema.Config, options: Options, findings: Findings) -> dict[str, Made]:
        """By the word that chooses it; and which word each tenant has."""
        offered: dict[str, Made] = {}
        for word, written in config.strategies.items():
            made = compile_strategy(written, ("strategies", word), findings, options=options)
            if made is not None:
                offered[word] = made
        if self._facts.has_source("strategy"):
            self._words = frozenset(offered)
        for name, tenant in config.tenants.items():
            own = tenant.strategy
            if own is None:
                continue
            where = ("tenants", name, "strategy")
            word = own if isinstance(own, str) else f"tenant {name}"
            self._by_tenant[name] = word
            if isinstance(own, str) and own not in config.strategies and own not in STRATEGIES:
                known = [*config.strategies, *STRATEGIES]
                findings.unknown(where, f"there is no strategy {shown(own)}", own, known)
            elif word not in config.strategies:
                made = compile_strategy(own, where, findings, options=options)
                if made is not None:
                    offered[word] = made
        chosen = set(self._by_tenant.values())
        for word in config.strategies:
            if word not in chosen and not self._facts.has_source("strategy"):
                findings.note(
                    ("strategies", word),
                    "nobody can choose it",
                    "give context.strategy a source, or a tenant this strategy",
                )
        if self._facts.has_source("strategy") and not config.strategies:
            findings.note(
                ("context", "strategy"), "there are no strategies to choose", "name some under strategies"
            )
        return offered

    def _note_prices(self, drawn: Draft, findings: Findings) -> None:
        if self._budgets and not drawn.unsure((), "clusters"):
            free = [name for name, cluster in drawn.clusters.items() if cluster.price is None]
            for name in free:
                findings.note(("clusters", name), "has no price, so it costs tenants with a budget nothing")


def _words(drawn: Draft) -> dict[str, set[str]]:
    """Every name of an endpoint or a cluster, and whom it names, by key."""
    words: dict[str, set[str]] = {}
    for name, cluster in drawn.clusters.items():
        words.setdefault(name, set()).add(f"{name}/{name}")
        for each in cluster.endpoints:
            own = each.id or each.address
            key = f"{name}/{own}"
            for word in (name, own, key, each.address):
                words.setdefault(word, set()).add(key)
    return words


def _micro_usd(dollars: float | None) -> int:
    """Negative for none."""
    return -1 if dollars is None else round(dollars * _MILLION)
