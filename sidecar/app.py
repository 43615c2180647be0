"""The composition root: the only place that knows which parts make a sidecar."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from random import Random

from sidecar import __version__
from sidecar.config.load import Loaded
from sidecar.core import engine as core_engine
from sidecar.core.engine import Engine
from sidecar.core.state.memory import State
from sidecar.runtime.health import Health, reflection_methods
from sidecar.runtime.measures import Measures, registry_of
from sidecar.runtime.reload import Reloader
from sidecar.runtime.router import Observer, Router
from sidecar.runtime.server import Parts
from sidecar.runtime.services import ACCESS_LOG, EXT_PROC, ROUTE, services


def core_kind() -> str:
    """`compiled` when the core was built by mypyc, else `pure Python`."""
    return "pure Python" if core_engine.__file__.endswith(".py") else "compiled"


def build(
    path: Path,
    loaded: Loaded,
    grpc_addresses: Sequence[str],
    admin_address: str,
    observer: Observer | None = None,
) -> Parts:
    """Everything for one process, but the shell. An empty address of the admin page is none."""
    config = loaded.config
    rng = Random(secrets.randbits(64))
    state = State(epoch=secrets.randbits(20), most_tickets=config.tickets.most)
    engine = Engine(loaded.plan, state, rng)
    measures = Measures()
    router = Router(engine, measures, observer)
    health = Health([EXT_PROC, ACCESS_LOG, ROUTE])
    return Parts(
        router=router,
        methods={
            **services(
                router,
                measures,
                feedback=config.envoy.shows_responses,
                picker=config.envoy.endpoint_picker,
            ),
            **health.methods(),
            **reflection_methods([EXT_PROC, ACCESS_LOG, ROUTE, "grpc.health.v1.Health"]),
        },
        health=health,
        registry=registry_of(measures, engine, {"version": __version__, "core": core_kind()}),
        reloader=Reloader(path, loaded, router.swap, measures),
        grpc_addresses=grpc_addresses,
        admin_address=admin_address,
        drain_s=config.listen.drain,
    )
