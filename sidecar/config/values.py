"""Values with units as people write them: durations, addresses, names.

Every refusal is a sentence that holds the value, because it is shown as it is.
"""

import re
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Annotated, Final

from pydantic import BeforeValidator, StringConstraints, WithJsonSchema

from sidecar.config.errors import shown

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)", re.ASCII)
_LONGEST_S: Final = 366 * 86400.0
_ADDRESS: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]{1,253}):(\d{1,5})", re.ASCII)


def seconds(value: object) -> float:
    """Seconds of `30s`, `1.5m`, `1h30m`, `250ms`. ValueError for anything else, a bare number included."""
    if isinstance(value, str) and len(value) <= 64:
        parts = _DURATION.findall(value)
        if parts and "".join(number + unit for number, unit in parts) == value:
            duration = float(sum(float(number) * _UNITS[unit] for number, unit in parts))
            if duration > _LONGEST_S:
                raise ValueError(f"must be at most 366d, got {value}")
            return duration
    raise ValueError(
        f"{shown(value)} is not a duration; write a number with a unit, such as 250ms, 30s, 5m or 1h30m"
    )


def above_zero(value: object) -> float:
    duration = seconds(value)
    if duration <= 0:
        raise ValueError(f"must be longer than 0, got {value}")
    return duration


def host_port(value: object) -> str:
    """`host:port`, IPv6 in brackets. ValueError for anything else."""
    if isinstance(value, str):
        found = _ADDRESS.fullmatch(value)
        if found and 0 <= int(found.group(2)) <= 65535:
            return value
    raise ValueError(
        f"{shown(value)} is not an address; write host:port, such as 127.0.0.1:8080 or [::1]:8080"
    )


def real_host(value: str) -> str:
    """Of a text like HOST, one whose IPv6 address and port there can be."""
    name, bracket, rest = value.rpartition("]")
    port = rest.removeprefix(":") if bracket else value.partition(":")[2]
    if not port or 1 <= int(port) <= 65535:
        try:
            if bracket:
                IPv6Address(name.removeprefix("["))
        except ValueError:
            pass
        else:
            return value
    wrong, remedy = REFUSED_PATTERNS[HOST]
    raise ValueError(f"{shown(value)} {wrong}; {remedy}")


def listener(value: object) -> str:
    """`host:port` or `unix:/path`."""
    if isinstance(value, str) and value.startswith("unix:"):
        if not value.removeprefix("unix:").startswith("/"):
            raise ValueError(
                f"{shown(value)} is not absolute; write the socket's whole path, "
                "such as unix:/run/sidecar/sidecar.sock"
            )
        return value
    try:
        return host_port(value)
    except ValueError:
        raise ValueError(
            f"{shown(value)} is not an address to listen on; write host:port or unix:/path, "
            "such as 127.0.0.1:50051"
        ) from None


_SIZE_UNITS: Final = {"": 1, "B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
_SIZE: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) *([KMGT]?B|)", re.IGNORECASE)
_PERCENT: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) *%", re.ASCII)


def byte_count(value: object) -> int:
    """Bytes of `10MB`, `64KB`, `500B`; 1 KB is 1024. ValueError for anything else, a bare number included."""
    if isinstance(value, str):
        found = _SIZE.fullmatch(value.strip())
        if found and found[2]:
            return size_in_bytes(found[1], found[2])
    raise ValueError(f"{shown(value)} is not a size; write a number with a unit, such as 500B, 64KB or 10MB")


def byte_count_above_zero(value: object) -> int:
    count = byte_count(value)
    if count <= 0:
        raise ValueError(f"must be more than 0B, got {value}")
    return count


def size_in_bytes(number: str, unit: str) -> int:
    return round(float(number) * _SIZE_UNITS[unit.upper()])


def share(value: object) -> float:
    """0 to 1 of `10%`, `0.01%`, `0.1`. ValueError for anything else."""
    if isinstance(value, str):
        found = _PERCENT.fullmatch(value.strip())
        if found and float(found[1]) <= 100:
            return float(found[1]) / 100
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise ValueError(f"{shown(value)} is not a share; write one such as 10%, 0.01% or 0.1")


def share_above_zero(value: object) -> float:
    part = share(value)
    if part <= 0:
        raise ValueError(f"must be above 0, got {value}")
    return part


def whole_millionths(dollars: float) -> float:
    """Dollars, which are kept in whole millionths: what is more than nothing must not become nothing."""
    if dollars > 0 and round(dollars * 1_000_000) == 0:
        raise ValueError(f"{dollars:.12g} is less than a millionth of a dollar; write 0, or 0.000001")
    return dollars


def share_below(value: object) -> float:
    """0 to 1 of `< 95%`. ValueError for anything else."""
    return _bound(share, value, "<", "< 95%")


def share_above(value: object) -> float:
    """0 to 1 of `> 5%`. ValueError for anything else."""
    return _bound(share, value, ">", "> 5%")


def seconds_above(value: object) -> float:
    """Seconds of `> 1s`. ValueError for anything else."""
    return _bound(above_zero, value, ">", "> 1s")


def _bound(read: Callable[[object], float], value: object, sign: str, example: str) -> float:
    if isinstance(value, str) and value.lstrip().startswith(sign):
        try:
            return read(value.lstrip().removeprefix(sign).strip())
        except ValueError:
            pass
    raise ValueError(f'{shown(value)} is not a bound; write one such as "{example}"')


_DURATION_SCHEMA: Final = {
    "type": "string",
    "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$",
    "examples": ["250ms", "30s", "5m", "1h30m"],
}
_HOST_PORT_PATTERN: Final = r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}"

Seconds = Annotated[float, BeforeValidator(seconds), WithJsonSchema(_DURATION_SCHEMA)]
SecondsAboveZero = Annotated[float, BeforeValidator(above_zero), WithJsonSchema(_DURATION_SCHEMA)]
_BYTES_SCHEMA: Final = {
    "type": "string",
    "pattern": r"^[0-9]+(\.[0-9]+)? *([kKmMgGtT]?[bB])$",
    "examples": ["500B", "64KB", "10MB"],
}
ByteCount = Annotated[int, BeforeValidator(byte_count), WithJsonSchema(_BYTES_SCHEMA)]
ByteCountAboveZero = Annotated[int, BeforeValidator(byte_count_above_zero), WithJsonSchema(_BYTES_SCHEMA)]
_SHARE_SCHEMA: Final = {
    "anyOf": [
        {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? *%$", "examples": ["10%", "0.01%"]},
        {"type": "number", "minimum": 0, "maximum": 1},
    ]
}
_SHARE_PATTERN: Final = r" *[0-9]+(\.[0-9]+)? *%$"
ShareBelow = Annotated[
    float,
    BeforeValidator(share_below),
    WithJsonSchema({"type": "string", "pattern": "^<" + _SHARE_PATTERN, "examples": ["< 95%"]}),
]
ShareAbove = Annotated[
    float,
    BeforeValidator(share_above),
    WithJsonSchema({"type": "string", "pattern": "^>" + _SHARE_PATTERN, "examples": ["> 5%"]}),
]
SecondsAbove = Annotated[
    float,
    BeforeValidator(seconds_above),
    WithJsonSchema(
        {"type": "string", "pattern": r"^> *([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$", "examples": ["> 1s"]}
    ),
]
Share = Annotated[float, BeforeValidator(share), WithJsonSchema(_SHARE_SCHEMA)]
ShareAboveZero = Annotated[float, BeforeValidator(share_above_zero), WithJsonSchema(_SHARE_SCHEMA)]
HostPort = Annotated[
    str,
    BeforeValidator(host_port),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{_HOST_PORT_PATTERN}$",
            "examples": ["127.0.0.1:8080", "[::1]:8080", "shop.internal:80"],
        }
    ),
]
Listener = Annotated[
    str,
    BeforeValidator(listener),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^(unix:/.*|{_HOST_PORT_PATTERN})$",
            "examples": ["127.0.0.1:50051", "unix:/run/sidecar/sidecar.sock"],
        }
    ),
]

NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
HEADER_NAME: Final = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$"
HEADER_TEXT: Final = r"^[^\x00-\x08\x0a-\x1f\x7f]*$"
LABEL: Final = r"^[\x21-\x7e]{0,128}$"

Name = Annotated[str, StringConstraints(pattern=NAME)]
"""Names of clusters, endpoints, routes: they travel in headers, metrics and Envoy's own configuration."""
HeaderName = Annotated[str, StringConstraints(pattern=HEADER_NAME)]
HeaderText = Annotated[str, StringConstraints(pattern=HEADER_TEXT, max_length=8192)]
"""What may stand in a header: one control character would turn the whole request into a 500 in Envoy."""
Label = Annotated[str, StringConstraints(pattern=LABEL)]
"""Versions, regions, zones, tags: part of names and metrics, so printable and without spaces."""

STATUS: Final = "^[1-5][0-9][0-9]$"
URL_PATH: Final = r"^/[\x21-\x7e]*$"
HOST: Final = r"^(\[[0-9a-fA-F:.]{2,64}\]|[A-Za-z0-9._-]{1,253})(:[0-9]{1,5})?$"
METRIC: Final = "^[a-zA-Z_:][a-zA-Z0-9_:]{0,255}$"

REFUSED_PATTERNS: Final[dict[str, tuple[str, str]]] = {
    NAME: (
        "is not a name",
        "use up to 128 letters, digits, '.', '_' and '-', and begin with a letter or digit",
    ),
    HEADER_NAME: ("is not a header name", "use letters, digits and '-'"),
    HEADER_TEXT: ("holds a control character", "remove it"),
    LABEL: ("is not usable here", "use up to 128 printable ASCII characters without spaces"),
    STATUS: ("is not a status", "write one such as 200"),
    URL_PATH: ("is not a path", "begin it with /, and write nothing but printable ASCII without spaces"),
    HOST: ("is not a host", "write one such as shop.internal or shop.internal:8080"),
    METRIC: ("is not the name of a metric", "write one such as vllm:num_requests_waiting"),
}
"""What each pattern means when it does not hold, and the remedy."""
