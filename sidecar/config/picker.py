"""What a file must have so that the sidecar can pick endpoints for a gateway: an address for every pick."""

from ipaddress import ip_address

from sidecar.config.errors import Findings
from sidecar.config.sections import Draft


def check_picker(drawn: Draft, findings: Findings) -> None:
    """A gateway is told `ip:port`, and nothing else would mean anything to it."""
    if not drawn.config.envoy.endpoint_picker:
        return
    for name, cluster in drawn.clusters.items():
        where = ("clusters", name)
        if not cluster.endpoints and not drawn.unsure(where, "endpoints"):
            findings.add(where, "an endpoint picker names addresses, and here are none", "list its endpoints")
        for at, endpoint in enumerate(cluster.endpoints):
            if not _is_ip(endpoint.address.rpartition(":")[0]):
                findings.add(
                    (*where, "endpoints", at, "address"),
                    "an endpoint picker names IP addresses",
                    "write the address that the name stands for",
                )
    if drawn.config.on_error != "refuse":
        findings.add(
            ("on_error",), "an endpoint picker names no cluster", "write refuse: the gateway does the rest"
        )


def _is_ip(host: str) -> bool:
    try:
        ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
