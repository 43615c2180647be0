"""Load reports from a page of metrics in the text form of Prometheus.

Only the lines of the metrics that are wanted are parsed: they are looked for in the bytes of the page, which
takes microseconds, where to parse a page of a megabyte takes the better part of a second.

The form: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import math
from collections.abc import Iterator
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from sidecar.core.report import MOST_SHARE, UNKNOWN, Report
from sidecar.core.watch import Reading, ScrapeRule

_MOST_SAMPLES: Final = 200
"""Of a page: each takes some 40 microseconds, in which no request is decided."""
_LONGEST_LINE: Final = 2048


class _Page:
    def __init__(self, text: bytes) -> None:
        self._text: Final = b"\n" + text + b"\n"
        self.ignored = 0
        self._left = _MOST_SAMPLES

    def share(self, reading: Reading, most: float) -> float:
        """UNKNOWN where it is not there; what cannot be is counted, and left out."""
        values = list(self._values(reading))
        if not values:
            return UNKNOWN
        value = math.fsum(values) if reading.summed else max(values)
        if reading.full > 0.0:
            return min(value / reading.full, most)
        if value <= most:
            return value
        self.ignored += 1
        return UNKNOWN

    def _values(self, reading: Reading) -> Iterator[float]:
        wanted = dict(reading.labels)
        for line in self._lines(reading.metric.encode()):
            try:
                (family,) = text_string_to_metric_families(line.decode())
                (sample,) = family.samples
                value = float(sample.value)
            except (ValueError, KeyError, IndexError):  # its parser tells what it cannot read in many ways
                self.ignored += 1
                continue
            if wanted.items() <= sample.labels.items():
                if 0.0 <= value < math.inf:
                    yield value
                else:
                    self.ignored += 1

    def _lines(self, name: bytes) -> Iterator[bytes]:
        begin = b"\n" + name
        at = self._text.find(begin)
        while at >= 0:
            at += 1
            end = self._text.index(b"\n", at)
            if self._text[at + len(name) : at + len(name) + 1] in b"{ \t":
                if self._left == 0 or end - at > _LONGEST_LINE:
                    self.ignored += 1
                    return
                self._left -= 1
                yield self._text[at : end + 1]
            at = self._text.find(begin, end)


def report_of(page: bytes, rule: ScrapeRule) -> Report:
    """What the page says of what the rule looks for. A line that is too long to be one, or the 201st of the
    page, ends the reading of its metric."""
    read = _Page(page)
    utilisation, quota_used, cache_hit_rate = (
        max((read.share(reading, most) for reading in readings), default=UNKNOWN)
        for readings, most in (
            (rule.utilisation, MOST_SHARE),
            (rule.quota_used, MOST_SHARE),
            (rule.cache_hit_rate, 1.0),
        )
    )
    return Report(utilisation, quota_used, cache_hit_rate, read.ignored)
