"""What a cluster says of connections and host names, as far as Envoy and the system can do it.

Envoy finds out only when it makes a connection: with a number that Linux refuses, it makes none, and every
request gets 503.
"""

from typing import Final

from sidecar.config import schema
from sidecar.config.errors import Findings, Where

_LEAST_S: Final = 1.0
_MOST_S: Final = 32_767.0
"""Of TCP_KEEPIDLE and TCP_KEEPINTVL."""


def check_connections(cluster: schema.Cluster, where: Where, findings: Findings) -> None:
    """The bound of KeepAlive.probes stands in its schema."""
    kept = cluster.connections.keepalive
    if kept is not None:
        for key, seconds in (("time", kept.time), ("interval", kept.interval)):
            if not _LEAST_S <= seconds <= _MOST_S:
                findings.add(
                    (*where, "connections", "keepalive", key),
                    "must be from 1s to 32767s",
                    "Linux takes nothing else, and Envoy could make no connection",
                )
    for key, seconds in (("refresh", cluster.dns.refresh), ("failure_refresh", cluster.dns.failure_refresh)):
        if seconds < _LEAST_S:
            findings.add(
                (*where, "dns", key), "must be at least 1s", "each question goes to a server of names"
            )
