"""Tests of what holds whatever the transport run over each."""

from collections.abc import Iterator

import pytest

from tests.runtime.sidecars import TRANSPORT


@pytest.fixture(params=["grpc", "envoy"])
def each_transport(request: pytest.FixtureRequest) -> Iterator[str]:
    """The sidecars of the test are started with it."""
    before = TRANSPORT.set(request.param)
    yield request.param
    TRANSPORT.reset(before)
