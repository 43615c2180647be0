"""What is compared: an Envoy, the ext_proc server that it asks, and how both are started."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import yaml
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from google.protobuf import text_format

from tests.bench import bootstraps
from tests.bench.children import Child, answers_200, command, free_addresses, listens, running, wait_for
from tests.bench.load import HEADERS, PATH
from tests.bench.nothing import routed_to

PLAIN: Final = "plain"
NOTHING_AIO: Final = "nothing_aio"
NOTHING_THREADS: Final = "nothing_threads"
NOTHING_CPP: Final = "nothing_cpp"
NOTHING_ASGI: Final = "nothing_asgi"
SIDECAR: Final = "sidecar"
SIDECAR_ENVOY: Final = "sidecar_envoy"
SIDECAR_QUIET: Final = "sidecar_quiet"
"""The sidecar over gRPC, whom nobody tells how requests end."""
LETTERS: Final = {
    "a": PLAIN,
    "b": NOTHING_AIO,
    "c": NOTHING_THREADS,
    "d": SIDECAR,
    "e": NOTHING_CPP,
    "f": NOTHING_ASGI,
    "g": SIDECAR_ENVOY,
    "h": SIDECAR_QUIET,
}
TEN_ROUTES: Final = Path(__file__).with_name("ten_routes.yaml")
_ENDPOINTS: Final = 3
_PRINT_WITHIN_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Contender:
    """`server` is the command that serves ext_proc at `asks`; both are None where Envoy asks nobody."""

    name: str
    listen: str
    bootstrap: bootstraps.Json
    server: Sequence[str] | None = None
    asks: str | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """A contender that answers requests."""

    contender: Contender
    envoy: Child
    server: Child | None


def plain(endpoints: Sequence[str]) -> Contender:
    (listen,) = free_addresses(1)
    return Contender(PLAIN, listen, bootstraps.plain(listen, endpoints))


def nothing(name: str, kind: str, endpoints: Sequence[str]) -> Contender:
    """A server of `tests.bench.nothing`; `kind` is its first argument."""
    listen, asks = free_addresses(2)
    server = [sys.executable, "-m", "tests.bench.nothing", kind]
    server += ["--listen", asks, "--cluster", bootstraps.UPSTREAM]
    return Contender(name, listen, bootstraps.with_ext_proc(listen, endpoints, asks), server, asks)


def nothing_cpp(binary: Path, endpoints: Sequence[str]) -> Contender:
    """The server of nothing.cc, built as `binary`; it is told the answer that those in Python give."""
    listen, asks = free_addresses(2)
    answer = ext_proc.ProcessingResponse.FromString(routed_to(bootstraps.UPSTREAM))
    server = [str(binary), asks, text_format.MessageToString(answer, as_one_line=True)]
    return Contender(NOTHING_CPP, listen, bootstraps.with_ext_proc(listen, endpoints, asks), server, asks)


def sidecar(
    endpoints: Sequence[str], folder: Path, transport: str = "grpc", config: Path = TEN_ROUTES
) -> Contender:
    """The sidecar on `config`, with free addresses and `endpoints` in the place of those in the file."""
    name = SIDECAR if transport == "grpc" else SIDECAR_ENVOY
    listen, asks, admin = free_addresses(3)
    document = yaml.safe_load(config.read_text())
    document["listen"] = {"grpc": asks, "admin": admin}
    document["envoy"]["listen"] = listen
    for cluster in document["clusters"].values():
        for endpoint, address in zip(cluster["endpoints"], endpoints, strict=True):
            endpoint["address"] = address
    written = folder / f"{name}.yaml"
    written.write_text(yaml.safe_dump(document, sort_keys=False))

    me = _sidecar()
    printed = subprocess.run(
        [*me, "envoy", str(written)], check=False, capture_output=True, text=True, timeout=_PRINT_WITHIN_S
    )
    if printed.returncode != 0:
        raise RuntimeError(f"`sidecar envoy` ended with {printed.returncode}:\n{printed.stderr}")
    bootstrap = yaml.safe_load(printed.stdout)
    bootstrap.pop("admin", None)  # its port may be taken, and no request passes through it
    server = [*me, "serve", str(written), "--listen", asks, "--admin", admin, "--transport", transport]
    return Contender(name, listen, bootstrap, server, asks)


def quiet(contender: Contender) -> Contender:
    """The same, whose Envoy sends no access log: what learning costs is the difference."""
    for listener in contender.bootstrap["static_resources"]["listeners"]:
        for chain in listener["filter_chains"]:
            for each in chain["filters"]:
                each["typed_config"].pop("access_log", None)
    return replace(contender, name=SIDECAR_QUIET)


def _sidecar() -> list[str]:
    """The installed command, whose core may be compiled; else the package in the working directory."""
    try:
        return [command("sidecar")]
    except FileNotFoundError:
        return [sys.executable, "-m", "sidecar"]


def _envoy(name: str, bootstrap: bootstraps.Json, folder: Path) -> list[str]:
    path = folder / f"{name}.envoy.yaml"
    path.write_text(yaml.safe_dump(bootstrap, sort_keys=False))
    started_as = [command("envoy"), "--config-path", str(path), "--use-dynamic-base-id"]
    return [*started_as, "--concurrency", "1", "--log-level", "warn"]


@contextmanager
def upstream(folder: Path) -> Iterator[list[str]]:
    """Cheap HTTP endpoints; gives their addresses."""
    addresses = free_addresses(_ENDPOINTS)
    with running("upstream", _envoy("upstream", bootstraps.upstream(addresses), folder), folder) as envoy:
        wait_for(lambda: all(map(listens, addresses)), [envoy])
        yield addresses


@contextmanager
def started(contender: Contender, folder: Path) -> Iterator[Running]:
    """Run the contender until the block ends; its first requests were answered when the block begins."""
    with ExitStack() as stack:
        server: Child | None = None
        if contender.server is not None and contender.asks is not None:
            server = stack.enter_context(running(contender.name, contender.server, folder))
            asks = contender.asks
            wait_for(lambda: listens(asks), [server])
        arguments = _envoy(contender.name, contender.bootstrap, folder)
        envoy = stack.enter_context(running(f"{contender.name}.envoy", arguments, folder))
        children = [envoy] if server is None else [envoy, server]
        wait_for(lambda: answers_200(f"http://{contender.listen}{PATH}", HEADERS), children)
        yield Running(contender, envoy, server)
