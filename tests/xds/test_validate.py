"""Envoy itself accepts what is written, and has nothing to complain of."""

import subprocess
from pathlib import Path
from typing import Final

import pytest

from sidecar.config import schema
from sidecar.xds.bootstrap import bootstrap
from sidecar.xds.text import to_yaml
from tests.running.envoy import envoy_command
from tests.xds.running import a_config
from tests.xds.test_examples import FOLDER, SOURCES, printed

pytestmark = pytest.mark.e2e

_WITHIN_S: Final = 15.0


def complaints(written: Path) -> list[str]:
    """Envoy's warnings and errors; AssertionError when it does not accept the file."""
    run = subprocess.run(
        [envoy_command(), "--mode", "validate", "-l", "info", "-c", str(written)],
        capture_output=True,
        text=True,
        timeout=_WITHIN_S,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    lines = (run.stdout + run.stderr).splitlines()
    return [line for line in lines if any(f"[{level}]" in line for level in ("warning", "error", "critical"))]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_envoy_accepts_an_example(source: Path) -> None:
    assert (FOLDER / source.name).exists()
    assert complaints(printed(source)) == []


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(a_config(), id="the smallest"),
        pytest.param(a_config(clusters={"users": {}}), id="no endpoints at all"),
        pytest.param(a_config(envoy={"listen": "localhost:0", "admin": "[::1]:0"}), id="any port"),
        pytest.param(a_config(listen={"grpc": "[::]:50051"}, envoy={"listen": "[::]:8080"}), id="IPv6"),
        pytest.param(a_config(listen={"grpc": "unix:/run/sidecar.sock"}), id="a socket"),
        pytest.param(a_config(listen={"grpc": "sidecar.internal:50051"}), id="a sidecar with a host name"),
        pytest.param(a_config(on_error="users", envoy={"feedback": "response"}), id="on error, response"),
        pytest.param(
            a_config(
                clusters={
                    "1e5": {"endpoints": [{"address": "api.internal:80", "weight": 0}]},
                    "y": {"endpoints": [{"address": "[fe80::1]:80", "weight": 1000}]},
                    "0x1f": {"endpoints": [{"address": "10.0.0.1:80", "weight": 0}]},
                },
                on_error="y",
                envoy={"message_timeout": "1ms"},
            ),
            id="names like numbers",
        ),
        pytest.param(
            a_config(
                routes=[
                    {
                        "name": name,
                        "to": "users",
                        "headers": {
                            "response": {
                                "set": {"n": "", "x-percent": "%", "X-Upper": "1e5"},
                                "add": {"set-cookie": "a=b; path=/", "x-command": "%NO_SUCH_COMMAND%"},
                                "remove": ["server", "yes"],
                            }
                        },
                    }
                    for name in ("null", "n", "1", "a.b-c_d")
                ]
            ),
            id="awkward response headers",
        ),
        pytest.param(
            a_config(
                routes=[
                    {"name": f"r{n}", "to": "users", "headers": {"response": {"set": {"x-route": str(n)}}}}
                    for n in range(2000)
                ]
            ),
            id="2000 routes",
        ),
    ],
)
def test_envoy_accepts(config: schema.Config, tmp_path: Path) -> None:
    written = tmp_path / "envoy.yaml"
    written.write_text(to_yaml(bootstrap(config), header="x"))

    assert complaints(written) == []
