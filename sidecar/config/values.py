"""Values with units as people write them: durations, addresses, names."""

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, StringConstraints

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_ADDRESS: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})")


def seconds(value: object) -> float:
    """Seconds of `30s`, `1.5m`, `1h30m`, `250ms`. ValueError for anything else, a bare number included."""
    if isinstance(value, str):
        parts = _DURATION.findall(value)
        if parts and "".join(number + unit for number, unit in parts) == value:
            return float(sum(float(number) * _UNITS[unit] for number, unit in parts))
    raise ValueError("not a duration; write a number with a unit, such as 250ms, 30s, 5m or 1h30m")


def above_zero(value: object) -> float:
    duration = seconds(value)
    if duration <= 0:
        raise ValueError("must be longer than 0")
    return duration


def host_port(value: object) -> str:
    """`host:port`, IPv6 in brackets. ValueError for anything else."""
    if isinstance(value, str):
        found = _ADDRESS.fullmatch(value)
        if found and 0 <= int(found.group(2)) <= 65535:
            return value
    raise ValueError("not an address; write host:port, such as 127.0.0.1:8080 or [::1]:8080")


def listener(value: object) -> str:
    """`host:port` or `unix:/path`."""
    if isinstance(value, str) and value.startswith("unix:"):
        if not value.removeprefix("unix:").startswith("/"):
            raise ValueError("a socket path must be absolute, such as unix:/run/sidecar/sidecar.sock")
        return value
    try:
        return host_port(value)
    except ValueError:
        raise ValueError(
            "not an address to listen on; write host:port or unix:/path, such as 127.0.0.1:50051"
        ) from None


Seconds = Annotated[float, BeforeValidator(seconds)]
SecondsAboveZero = Annotated[float, BeforeValidator(above_zero)]
HostPort = Annotated[str, BeforeValidator(host_port)]
Listener = Annotated[str, BeforeValidator(listener)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
"""Names of clusters, endpoints, routes: they travel in headers, metrics and Envoy's own configuration."""
HeaderName = Annotated[str, StringConstraints(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$")]
HeaderText = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e\x80-\U0010ffff\t]*$", max_length=8192)]
"""What may stand in a header: one control character would turn the whole request into a 500 in Envoy."""
