"""`sidecar demo`: a configuration on this machine, with a real Envoy and small real endpoints."""

from sidecar.cli.demo.run import check, run
from sidecar.cli.demo.stage import CannotStart

__all__ = ["CannotStart", "check", "run"]
