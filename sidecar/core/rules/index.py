"""Finds the route of a request without trying every route: by host, then path, then exact values.

The cost of a look-up follows the length of the path and the number of routes that share one place and
cannot be told apart by exact values, not the number of all routes.
"""

from typing import Final, final

from sidecar.core.request import Request
from sidecar.core.rules.base import Field, Matcher, union
from sidecar.core.rules.host import HostIs
from sidecar.core.rules.logic import alternatives
from sidecar.core.rules.paths import Paths, Way


@final
class RuleIndex:
    """Made from matchers in the order of precedence; their places in it are the ranks that `find` returns."""

    def __init__(self, matchers: list[Matcher | None]) -> None:
        """A None stands for a route that is switched off: it keeps its rank and never matches."""
        self._end: Final = len(matchers)
        places = _Places()
        for rank, matcher in enumerate(matchers):
            if matcher is not None:
                for conditions in alternatives(matcher):
                    places.add(rank, conditions)
        texts: dict[str, str] = {}
        self._any_host: Final = Paths(places.any_host, texts)
        self._hosts: Final = {host: Paths(ways, texts) for host, ways in places.hosts.items()}
        self._suffixes: Final = {suffix: Paths(ways, texts) for suffix, ways in places.suffixes.items()}
        self._least: Final = self._any_host.effort
        most = max([paths.effort for paths in self._hosts.values()], default=0)
        self._most: Final = self._least + most + sum([paths.effort for paths in self._suffixes.values()])

    def find(self, request: Request, after: int = -1) -> int:
        """The rank of the first route after `after` that matches; -1 when there is none."""
        before = self._end
        if self._hosts or self._suffixes:
            host = request.host
            paths = self._hosts.get(host)
            if paths is not None:
                before = paths.find(request, after, before)
            if self._suffixes:
                dot = host.find(".", 1)
                while dot >= 0:
                    paths = self._suffixes.get(host[dot:])
                    if paths is not None:
                        before = paths.find(request, after, before)
                    dot = host.find(".", dot + 1)
        before = self._any_host.find(request, after, before)
        return before if before < self._end else -1

    def takes(self, request: Request, effort: int) -> bool:
        """Whether a look-up at this host may take so much, in comparisons with a text."""
        took = self._least
        if took >= effort or self._most < effort:
            return took >= effort
        host = request.host
        paths = self._hosts.get(host)
        if paths is not None:
            took += paths.effort
        if self._suffixes:
            dot = host.find(".", 1)
            while dot >= 0:
                paths = self._suffixes.get(host[dot:])
                if paths is not None:
                    took += paths.effort
                dot = host.find(".", dot + 1)
        return took >= effort

    def reads(self, request: Request) -> tuple[Field, ...] | None:
        """The fields on which the answer of `find` may depend for a request with this host and path. None
        when it may depend on something else, or on too many."""
        buckets = self._any_host.visited(request)
        host = request.host
        paths = self._hosts.get(host)
        if paths is not None:
            buckets.extend(paths.visited(request))
        dot = host.find(".", 1)
        while dot >= 0:
            paths = self._suffixes.get(host[dot:])
            if paths is not None:
                buckets.extend(paths.visited(request))
            dot = host.find(".", dot + 1)
        return union([bucket.reads for bucket in buckets])


@final
class _Places:
    """Ways to match, by host. Made into `Paths` host by host, so that what a look-up reads lies together.
    Memory that is not in the processor's cache costs more than all instructions."""

    def __init__(self) -> None:
        self.any_host: list[Way] = []
        self.hosts: dict[str, list[Way]] = {}
        self.suffixes: dict[str, list[Way]] = {}
        self._once: dict[tuple[str, ...], Matcher] = {}

    def add(self, rank: int, conditions: tuple[Matcher, ...]) -> None:
        conditions = tuple([self._shared(condition) for condition in conditions])
        for at, condition in enumerate(conditions):
            if isinstance(condition, HostIs):
                way = (rank, conditions[:at] + conditions[at + 1 :])
                for host in condition.exact:
                    self.hosts.setdefault(host, []).append(way)
                for suffix in condition.suffixes:
                    self.suffixes.setdefault(suffix, []).append(way)
                return
        self.any_host.append((rank, conditions))

    def _shared(self, condition: Matcher) -> Matcher:
        """One object for all conditions that are the same."""
        same = condition.same()
        return condition if same is None else self._once.setdefault(same, condition)
