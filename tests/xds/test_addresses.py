"""Whose address Envoy takes for the client's."""

import pytest
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)

from sidecar.config.schema import Config
from sidecar.xds.bootstrap import bootstrap
from tests.xds.running import a_config


def manager(config: Config) -> HttpConnectionManager:
    (listener,) = bootstrap(config).static_resources.listeners
    made = HttpConnectionManager()
    assert listener.filter_chains[0].filters[0].typed_config.Unpack(made)
    return made


@pytest.mark.parametrize("hops", [0, 1, 3])
def test_envoy_trusts_as_many_hops_as_the_sidecar(hops: int) -> None:
    """M12 X1"""
    made = manager(a_config(context={"client_ip": {"trusted_hops": hops}}))

    assert made.xff_num_trusted_hops == hops
    assert made.use_remote_address.value
    assert not made.skip_xff_append
