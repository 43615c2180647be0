"""Finds the route of a request without trying every route: by host, then path, then exact values.

The cost of a look-up follows the length of the path and the number of routes that share one place and
cannot be told apart by exact values, not the number of all routes.
"""

from typing import Final, final

from sidecar.core.request import Request
from sidecar.core.rules.base import Matcher
from sidecar.core.rules.host import HostIs
from sidecar.core.rules.logic import alternatives
from sidecar.core.rules.paths import Paths


@final
class RuleIndex:
    """Made from matchers in the order of precedence; their places in it are the ranks that `find` returns."""

    def __init__(self, matchers: list[Matcher | None]) -> None:
        """A None stands for a route that is switched off: it keeps its rank and never matches."""
        self._end: Final = len(matchers)
        self._any_host: Final = Paths()
        self._hosts: Final[dict[str, Paths]] = {}
        self._suffixes: Final[dict[str, Paths]] = {}
        for rank, matcher in enumerate(matchers):
            if matcher is not None:
                for conditions in alternatives(matcher):
                    self._add(rank, conditions)
        for paths in (self._any_host, *self._hosts.values(), *self._suffixes.values()):
            paths.seal()

    def find(self, request: Request, after: int = -1) -> int:
        """The rank of the first route after `after` that matches; -1 when there is none."""
        before = self._any_host.find(request, after, self._end)
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
        return before if before < self._end else -1

    def _add(self, rank: int, conditions: tuple[Matcher, ...]) -> None:
        for at, condition in enumerate(conditions):
            if isinstance(condition, HostIs):
                rest = conditions[:at] + conditions[at + 1 :]
                for host in condition.exact:
                    self._hosts.setdefault(host, Paths()).add(rank, rest)
                for suffix in condition.suffixes:
                    self._suffixes.setdefault(suffix, Paths()).add(rank, rest)
                return
        self._any_host.add(rank, conditions)
