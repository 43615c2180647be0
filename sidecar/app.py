"""The composition root: the only place that knows which parts make a sidecar."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from random import Random

from sidecar import __version__
from sidecar.config import schema
from sidecar.config.load import Loaded
from sidecar.config.store import store_path
from sidecar.core import engine as core_engine
from sidecar.core.engine import Engine
from sidecar.core.plan import Plan
from sidecar.core.state.memory import State
from sidecar.runtime.asking.asker import Asker
from sidecar.runtime.health import Health, reflection_methods
from sidecar.runtime.keeping import Keeping
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
    """Everything for one process, but the shell. An empty address of the admin page is none.

    What is kept over a restart is read here, before any request can come. May raise StoreError.
    """
    config = loaded.config
    rng = Random(secrets.randbits(64))
    state = State(epoch=secrets.randbits(20), most_tickets=config.tickets.most)
    engine = Engine(loaded.plan, state, rng)
    measures = Measures()
    router = Router(engine, measures, observer)
    asker = Asker(router, measures, Random())
    asker.follow(loaded.plan)

    keeping: Keeping | None = None

    def swap(plan: Plan) -> None:
        router.swap(plan)
        asker.follow(plan)
        if keeping is None:
            for keeper in state.keepers.values():
                keeper.changed()  # nobody else takes them: names of endpoints that went would pile up

    health = Health([EXT_PROC, ACCESS_LOG, ROUTE])
    file = store_path(config, path.parent)
    if file is not None and isinstance(config.store, schema.Store):
        from sidecar.store.sqlite import SqliteStore  # noqa: PLC0415 - a database, where one is wanted

        keeping = Keeping(
            SqliteStore(file), state.keepers, measures, every_s=config.store.every, keep_s=config.store.keep
        )
        keeping.restore()
    return Parts(
        router=router,
        methods={
            **services(
                router,
                measures,
                feedback=config.envoy.shows_responses,
                picker=config.envoy.endpoint_picker,
                tokens_header="" if config.envoy.tokens is None else config.envoy.tokens.header.lower(),
            ),
            **health.methods(),
            **reflection_methods([EXT_PROC, ACCESS_LOG, ROUTE, "grpc.health.v1.Health"]),
        },
        health=health,
        registry=registry_of(measures, engine, {"version": __version__, "core": core_kind()}),
        reloader=Reloader(path, loaded, swap, measures),
        asker=asker,
        grpc_addresses=grpc_addresses,
        admin_address=admin_address,
        drain_s=config.listen.drain,
        keeping=keeping,
    )
