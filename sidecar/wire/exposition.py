"""Load reports from a page of metrics in the text form of Prometheus.

A page may mean harm, and whoever reads it decides requests besides. So the metrics that are wanted are looked
for in the bytes of the page and nothing else is parsed; what is parsed is bounded; and all of it goes in
steps, none of which takes a millisecond, whatever the page.

The form: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import math
import re
from collections.abc import Generator, Iterator
from typing import Final, NamedTuple

from sidecar.core.report import MOST_SHARE, UNKNOWN, Report
from sidecar.core.watch import Reading, ScrapeRule

_MOST_SAMPLES: Final = 200
"""Of a page."""
_LONGEST_LINE: Final = 2048
_MOST_TEXT: Final = 16_384
"""Characters of samples of a page."""

_STEP: Final = 65_536
"""Bytes to look through in one step: less than half a millisecond where every line almost is the one."""
_DEAR: Final = 32
"""To read a byte of a sample takes so many times as long."""

# None of these tries a character twice.
_LABEL: Final = re.compile(
    rb'[ \t]*+([a-zA-Z_][a-zA-Z0-9_]*+)[ \t]*+=[ \t]*+"([^"\\]*+(?:\\.[^"\\]*+)*+)"[ \t]*+(?:,|(?=\}))'
)
_END_OF_LABELS: Final = re.compile(rb"[ \t]*+\}")
_NUMBER: Final = re.compile(
    rb"[ \t]*+([+-]?+(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?+[0-9]++)?+|NaN|[+-]?+Inf)"
    rb"(?:[ \t]++-?+[0-9.]{1,32}+)?+[ \t\r]*+"
)
_ESCAPED: Final = re.compile(r"\\(.)")
_ESCAPES: Final = {"n": "\n", '"': '"', "\\": "\\"}


class _Sample(NamedTuple):
    labels: dict[str, str]
    value: float


class _Page:
    def __init__(self, text: bytes) -> None:
        self._text: Final = text
        self.ignored = 0
        self._found: Final[dict[str, list[_Sample]]] = {}
        self._left = _MOST_SAMPLES
        self._text_left = _MOST_TEXT
        self._worked = 0

    def look_for(self, metric: str) -> Iterator[None]:
        """In steps. Names that only begin so are passed over as quickly as anything else."""
        if metric in self._found:
            return
        found = self._found[metric] = []
        name = metric.encode()
        for behind in (b"{", b" ", b"\t"):
            begin = name + behind
            line_at = 0 if self._text.startswith(begin) else (yield from self._next(begin, 0))
            while line_at >= 0:
                end = self._end(line_at)
                if self._left == 0 or end < 0:
                    self.ignored += 1
                    return
                self._left -= 1
                self._text_left -= end - line_at
                try:
                    found.append(_sample(self._text[line_at + len(name) : end]))
                except ValueError:
                    self.ignored += 1
                yield from self._work(_DEAR * (end - line_at))
                line_at = yield from self._next(begin, end)

    def share(self, reading: Reading, most: float) -> float:
        """UNKNOWN where it is not there; what cannot be is counted, and left out."""
        wanted = dict(reading.labels)
        values: list[float] = []
        for sample in self._found[reading.metric]:
            if wanted.items() <= sample.labels.items():
                if 0.0 <= sample.value < math.inf:
                    values.append(sample.value)
                else:
                    self.ignored += 1
        if not values:
            return UNKNOWN
        value = math.fsum(values) if reading.summed else max(values)
        if reading.full > 0.0:
            return min(value / reading.full, most)
        if value <= most:
            return value
        self.ignored += 1
        return UNKNOWN

    def _next(self, begin: bytes, at: int) -> Generator[None, None, int]:
        """Where the next line that begins so is; -1 for nowhere."""
        wanted = b"\n" + begin
        while at < len(self._text):
            found = self._text.find(wanted, at, at + _STEP)
            yield from self._work(_STEP if found < 0 else found - at)
            if found >= 0:
                return found + 1
            at += _STEP - len(begin)
        return -1

    def _end(self, line_at: int) -> int:
        """Of the line; -1 when that is too far."""
        most = min(_LONGEST_LINE, self._text_left)
        end = self._text.find(b"\n", line_at, line_at + most + 1)
        if end < 0 and len(self._text) - line_at <= most:
            return len(self._text)
        return end

    def _work(self, amount: int) -> Iterator[None]:
        self._worked += amount
        if self._worked >= _STEP:
            self._worked = 0
            yield


def read(page: bytes, rule: ScrapeRule) -> Generator[None, None, Report]:
    """What the page says of what the rule looks for, in steps. A line that is too long to be one, or comes
    after two hundred or 16 KB of them, ends the reading of its metric."""
    own = _Page(page)
    for reading in (*rule.utilisation, *rule.quota_used, *rule.cache_hit_rate):
        yield from own.look_for(reading.metric)
    utilisation, quota_used, cache_hit_rate = (
        max((own.share(reading, most) for reading in readings), default=UNKNOWN)
        for readings, most in (
            (rule.utilisation, MOST_SHARE),
            (rule.quota_used, MOST_SHARE),
            (rule.cache_hit_rate, 1.0),
        )
    )
    return Report(utilisation, quota_used, cache_hit_rate, own.ignored)


def _sample(text: bytes) -> _Sample:
    """Of what stands behind the name. ValueError when that is no sample."""
    labels: dict[str, str] = {}
    at = 0
    text = text.lstrip(b" \t")
    if text.startswith(b"{"):
        at = 1
        while (label := _LABEL.match(text, at)) is not None:
            labels[label[1].decode()] = _unescaped(label[2].decode())
            at = label.end()
        end = _END_OF_LABELS.match(text, at)
        if end is None:
            raise ValueError("no end of labels")
        at = end.end()
    number = _NUMBER.fullmatch(text, at)
    if number is None:
        raise ValueError("no number")
    return _Sample(labels, float(number[1]))


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[0]), text) if "\\" in text else text
