"""One gateway with many routes serves the tests that change nothing about it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.gateway import Gateway, running_gateway

BOTH = ("grpc", "envoy")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every gateway is tried with each transport, but where a module names its `TRANSPORTS`: where it asks
    what is decided, not how that comes and goes. `tests/runtime` compares the two answer by answer."""
    chosen = any("transport" in str(mark.args[0]) for mark in metafunc.definition.iter_markers("parametrize"))
    if "transport" in metafunc.fixturenames and not chosen:
        transports = getattr(metafunc.module, "TRANSPORTS", BOTH)
        metafunc.parametrize("transport", transports, indirect=True, scope="session")


@pytest.fixture(scope="session")
def transport(request: pytest.FixtureRequest) -> str:
    """Of the sidecar."""
    return str(request.param)


@pytest.fixture(scope="session")
def shared_gateway(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    text = Path(__file__).with_name("gateway.yaml").read_text()
    with running_gateway(text, tmp_path_factory.mktemp("gateway"), transport) as gateway:
        yield gateway


@pytest.fixture
def gateway(shared_gateway: Gateway) -> Gateway:
    for one in shared_gateway.endpoints.values():
        one.usual()
    return shared_gateway
