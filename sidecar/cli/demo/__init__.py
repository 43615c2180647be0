"""`sidecar demo`: a configuration on this machine, with a real Envoy and small real endpoints."""

from sidecar.cli.demo.run import run
from sidecar.cli.demo.stage import CannotStart

__all__ = ["CannotStart", "run"]
