"""One gateway with many routes serves the tests that change nothing about it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.gateway import Gateway, running_gateway


@pytest.fixture(scope="session", params=["grpc", "envoy"])
def transport(request: pytest.FixtureRequest) -> str:
    """Of the sidecar; every gateway is tried with each."""
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
