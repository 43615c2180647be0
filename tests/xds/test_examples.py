"""The examples in `envoy/` are what the sidecar prints, and what Envoy accepts."""

from pathlib import Path
from typing import Final

import pytest
import yaml

from sidecar.config import schema
from sidecar.xds.bootstrap import bootstrap
from sidecar.xds.text import to_yaml

FOLDER: Final = Path(__file__).parents[2] / "envoy"
SOURCES: Final = sorted(FOLDER.glob("*.config.yaml"))


def printed(source: Path) -> Path:
    return source.with_name(source.name.replace(".config.yaml", ".yaml"))


def test_every_example_has_its_source() -> None:
    examples = set(FOLDER.glob("*.yaml")) - set(SOURCES)

    assert examples == {printed(source) for source in SOURCES}
    assert len(examples) >= 3


def test_no_python_file_hides_envoys_messages() -> None:
    assert not list(FOLDER.rglob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_an_example_is_what_the_sidecar_prints(source: Path) -> None:
    config = schema.Config.model_validate(yaml.safe_load(source.read_text()))

    text = to_yaml(bootstrap(config), header=f"Written by `sidecar envoy {source.name}`.")

    example = printed(source)
    again = f"python -m sidecar envoy envoy/{source.name} > envoy/{example.name}"
    assert example.exists(), f"missing; write it with: {again}"
    assert example.read_text() == text, f"out of date; write it again with: {again}"
