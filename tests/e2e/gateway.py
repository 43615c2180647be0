"""A whole gateway: the sidecar's own process, a real Envoy with the bootstrap it prints, small endpoints."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from string import Template
from typing import Final

from tests.running.asking import Pairs, Reply
from tests.running.endpoint import Endpoint, endpoint
from tests.running.envoy import RunningEnvoy, running_envoy
from tests.running.ports import free_ports
from tests.running.sidecar import RunningSidecar, run

LISTEN: Final = """\
listen: {grpc: $grpc, admin: $admin}
envoy: {listen: $envoy, admin: null, message_timeout: 1s}
"""
"""With more patience than usual: a machine that runs tests may stop for longer than Envoy's usual 200 ms."""
_OWN: Final = ("grpc", "admin", "envoy")


@dataclass
class Gateway:
    """`endpoints` by the names that stand for their addresses in the file."""

    config: Path
    grpc: str
    sidecar: RunningSidecar
    envoy: RunningEnvoy
    endpoints: dict[str, Endpoint]
    addresses: dict[str, str]

    def ask(
        self,
        path: str = "/",
        headers: Mapping[str, str] | Pairs = (),
        method: str = "GET",
        body: bytes | Iterable[bytes] | None = None,
    ) -> Reply:
        return self.envoy.ask(path, headers, method, body)

    def names(self, path: str, times: int, headers: Mapping[str, str] | None = None) -> list[str]:
        """Who answered so many requests, one after the other."""
        return [self.ask(path, headers or {}).name for _ in range(times)]

    def write(self, text: str) -> None:
        """Put this in the place of the file at once, as editors do; the addresses are filled in."""
        new = self.config.with_suffix(".new")
        new.write_text(Template(text).substitute(self.addresses))
        new.replace(self.config)

    @property
    def generation(self) -> int:
        """Of the configuration in force, by the log: looking there costs the sidecar nothing."""
        told = [*self.sidecar.events("ready")[-1:], *self.sidecar.events("config_applied")[-1:]]
        return int(max(told, key=itemgetter("timestamp"))["generation"])


def _host(name: str) -> str:
    return "::1" if name.startswith("ipv6") else "127.0.0.1"


@contextmanager
def running_gateway(
    text: str, folder: Path, transport: str = "grpc", bootstrap: Callable[[str, Path], str] | None = None
) -> Iterator[Gateway]:
    """`text` is the user's file with $grpc, $admin, $envoy, and a $name for the address of each endpoint:
    over IPv6, where the name begins with that. Envoy has what `bootstrap` makes of what the sidecar prints of
    this file, if it is given."""
    names = [name for name in Template(text).get_identifiers() if name not in _OWN]
    with ExitStack() as stack:
        endpoints = {name: stack.enter_context(endpoint(name, _host(name))) for name in names}
        own = dict(zip(_OWN, (f"127.0.0.1:{port}" for port in free_ports(len(_OWN))), strict=True))
        addresses = own | {name: one.address for name, one in endpoints.items()}
        config = folder / "gateway.yaml"
        config.write_text(Template(text).substitute(addresses))
        printed = run("envoy", config)
        assert printed.returncode == 0, printed.stderr
        sidecar = RunningSidecar(config, own["admin"], transport)
        stack.callback(sidecar.close)
        sidecar.start()
        port = int(own["envoy"].rpartition(":")[2])
        made = printed.stdout if bootstrap is None else bootstrap(printed.stdout, config)
        envoy = stack.enter_context(running_envoy(made, port, folder))
        yield Gateway(config, own["grpc"], sidecar, envoy, endpoints, addresses)
