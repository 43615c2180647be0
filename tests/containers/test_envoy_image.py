"""The bootstraps in Envoy's own container image, which is what most people run.

Needs Docker and the image. Where they are missing this is skipped: `tests/xds/test_validate.py` has the same
bootstraps judged by the same version of Envoy from its Python package.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from docker.errors import DockerException
from testcontainers.core.container import DockerContainer

IMAGE = "envoyproxy/envoy:v1.40-latest"
INSIDE = "/etc/envoy/sidecar.yaml"
EXAMPLES = sorted(
    path for path in (Path(__file__).parents[2] / "envoy").glob("*.yaml") if ".config." not in path.name
)


@contextmanager
def validating(bootstrap: Path) -> Iterator[Any]:
    """The container that judges it, or a skip that says why there is none."""
    # Asked first, because a client that finds nobody leaves an open socket behind.
    if "DOCKER_HOST" not in os.environ and not Path("/var/run/docker.sock").exists():
        pytest.skip("no Docker here; tests/xds/test_validate.py proves the same")
    try:
        container = (
            DockerContainer(IMAGE)
            .with_volume_mapping(str(bootstrap), INSIDE, "ro")
            .with_command(f"envoy --mode validate --config-path {INSIDE}")
        )
        container.start()
    except DockerException as error:
        pytest.skip(f"no Docker or no image: {str(error)[:120]}; tests/xds/test_validate.py proves the same")
    try:
        yield container.get_wrapped_container()
    finally:
        container.stop()


@pytest.mark.parametrize("bootstrap", EXAMPLES, ids=lambda path: str(path.stem))
def test_the_image_accepts_every_example(bootstrap: Path) -> None:
    with validating(bootstrap) as container:
        assert container.wait(timeout=60)["StatusCode"] == 0, container.logs().decode()
