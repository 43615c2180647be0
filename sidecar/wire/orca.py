"""Load reports that endpoints give with their answers, in the header of ORCA (Open Request Cost Aggregation).

The header `endpoint-load-metrics` begins with its format: `TEXT a=1, b=2`, `JSON {…}` or `BIN` and base64 of
the protobuf message. Envoy's own reader also takes `a:1` in text and, in older versions, text without its
format, and the header `endpoint-load-metrics-bin`: so they are read here as well.

Message: https://github.com/cncf/xds/blob/main/xds/data/orca/v3/orca_load_report.proto
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.message import DecodeError
from xds.data.orca.v3.orca_load_report_pb2 import OrcaLoadReport

from sidecar.core.report import MOST_SHARE, UNKNOWN, Report

LONGEST: Final = 4096
"""Characters of a header; a longer one is not read."""

_NAMED: Final = "named_metrics"
_UTILISATION: Final = ("application_utilization", "cpu_utilization", "named_metrics.kv_cache_usage_perc")
"""The first that is told counts. The last is what vLLM says."""
_QUOTA_USED: Final = ("named_metrics.quota_used",)
_CACHE_HIT_RATE: Final = ("named_metrics.cache_hit_rate", "named_metrics.prefix_cache_hit_rate")
_LONGEST_NUMBER: Final = 40


def report_of(header: str) -> Report:
    """What the header says of what is known here; all that cannot be is counted, and left out."""
    if len(header) > LONGEST:
        return Report(ignored=1)
    kind, _, rest = header.strip().partition(" ")
    try:
        if kind == "JSON":
            told = _of_json(rest)
        elif kind == "BIN":
            told = _of_message(rest)
        else:
            told = _of_text(rest if kind == "TEXT" else header)
    except ValueError:
        return Report(ignored=1)
    ignored = 0
    found: list[float] = []
    for names, most in ((_UTILISATION, MOST_SHARE), (_QUOTA_USED, MOST_SHARE), (_CACHE_HIT_RATE, 1.0)):
        number = UNKNOWN
        for name in names:
            if name in told and number < 0.0:
                number = share(told[name], most)
                ignored += number < 0.0
        found.append(number)
    utilisation, quota_used, cache_hit_rate = found
    return Report(utilisation, quota_used, cache_hit_rate, ignored)


def share(value: object, most: float = MOST_SHARE) -> float:
    """The number; UNKNOWN where it is none from 0 to `most`."""
    if isinstance(value, str):
        try:
            value = float(value) if len(value) <= _LONGEST_NUMBER and "_" not in value else UNKNOWN
        except ValueError:
            return UNKNOWN
    if isinstance(value, bool) or not isinstance(value, int | float):
        return UNKNOWN
    return float(value) if 0.0 <= value <= most else UNKNOWN  # NaN fails this as well


def _of_text(text: str) -> Mapping[str, object]:
    found: dict[str, object] = {}
    for part in text.split(","):
        at = min((at for at in (part.find("="), part.find(":")) if at > 0), default=0)
        if at:
            found[part[:at].strip()] = part[at + 1 :].strip()
        elif part.strip():
            raise ValueError("neither a = nor a :")
    return found


def _of_json(text: str) -> Mapping[str, object]:
    """By protobuf's rules for JSON, names may be written in either way."""
    try:
        read = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(read, dict):
        raise ValueError("no object")  # noqa: TRY004 - of what was sent
    found = dict(read)
    for camel, name in (
        ("applicationUtilization", "application_utilization"),
        ("cpuUtilization", "cpu_utilization"),
        ("namedMetrics", _NAMED),
    ):
        if camel in read:
            found.setdefault(name, read[camel])
    named = found.get(_NAMED)
    if isinstance(named, dict):
        found.update({f"{_NAMED}.{name}": value for name, value in named.items()})
    return found


def _of_message(text: str) -> Mapping[str, object]:
    """A number that is 0 may as well not have been told."""
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        message: Any = OrcaLoadReport.FromString(decoded)
    except (binascii.Error, DecodeError) as error:
        raise ValueError("no message") from error
    found: dict[str, object] = {
        name: getattr(message, name)
        for name in ("application_utilization", "cpu_utilization")
        if getattr(message, name) != 0.0
    }
    found.update({f"{_NAMED}.{name}": value for name, value in message.named_metrics.items()})
    return found
