"""Conditions on the host: exact, or `*.suffix` for every name below a domain."""

from typing import Final, final

from sidecar.core.request import Request
from sidecar.core.rules.base import Field, Matcher, quoted


@final
class HostIs(Matcher):
    """One of several hosts without port; case, a root dot and IPv6 brackets say nothing. `*.shop.test`
    holds for `a.shop.test` and `a.b.shop.test`, not for `shop.test`."""

    def __init__(self, hosts: tuple[str, ...]) -> None:
        self._hosts: Final = tuple(host.lower().removesuffix(".").strip("[]") for host in hosts)
        self.exact: Final = tuple(host for host in self._hosts if not host.startswith("*."))
        self.suffixes: Final = tuple(host[1:] for host in self._hosts if host.startswith("*."))

    def matches(self, request: Request) -> bool:
        host = request.host
        if host in self.exact:
            return True
        for suffix in self.suffixes:
            if len(host) > len(suffix) and host.endswith(suffix):
                return True
        return False

    def text(self) -> str:
        return "host is " + " or ".join(quoted(host) for host in self._hosts)

    def reads(self) -> tuple[Field, ...] | None:
        return ()

    def seen(self, request: Request) -> str:
        return quoted(request.host)
