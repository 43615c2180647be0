"""What the tests run: a real Envoy with the bootstrap that a configuration makes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sidecar.config import schema
from sidecar.xds.bootstrap import bootstrap
from sidecar.xds.text import to_yaml
from tests.running import envoy
from tests.running.envoy import RunningEnvoy


def a_config(**changes: object) -> schema.Config:
    """The smallest one, with `changes` at its top level."""
    smallest: dict[str, object] = {
        "clusters": {"users": {"endpoints": [{"address": "127.0.0.1:8080"}]}},
        "routes": [{"name": "all", "to": "users"}],
    }
    return schema.Config.model_validate({**smallest, **changes})


@contextmanager
def running_envoy(config: schema.Config, folder: Path) -> Iterator[RunningEnvoy]:
    """An Envoy with the configuration that `config` makes, until the block ends."""
    port = int(config.envoy.listen.rpartition(":")[2])
    with envoy.running_envoy(to_yaml(bootstrap(config)), port, folder) as running:
        yield running
