"""The requests of a scenario, drawn one after the other: some kinds of them, with placeholders filled in."""

import json
import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import shake_128
from itertools import accumulate
from random import Random
from typing import Any, Final

from sidecar.core.request import UNKNOWN_SIZE, Request, headers_of
from sidecar.sim.scenario import Service
from sidecar.wire.body import Given

PLACEHOLDER: Final = re.compile(r"\{([A-Za-z0-9][A-Za-z0-9._-]{0,127})\}")
_BODY_LIMIT: Final = 1 << 20
_ALPHABET: Final = bytes.maketrans(b"0123456789", b"ghijklmnop")


@dataclass(frozen=True)
class Values:
    """`count` texts, or those of `listed`: all as likely, or the nth 1/n^exponent as the first.

    A text is a number, or with `letters` as many letters, which are the same in each run.
    """

    name: str
    count: int
    listed: tuple[str, ...] = ()
    exponent: float = 0.0
    letters: int = 0
    _upto: list[float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        weights = (1.0 / n**self.exponent for n in range(1, self.count + 1)) if self.exponent else ()
        object.__setattr__(self, "_upto", list(accumulate(weights)))

    def draw(self, rng: Random) -> str:
        upto = self._upto
        at = bisect_right(upto, rng.random() * upto[-1]) if upto else int(rng.random() * self.count)
        return self.text(min(at, self.count - 1))

    def text(self, at: int) -> str:
        if self.listed:
            return self.listed[at]
        if not self.letters:
            return str(at)
        drawn = shake_128(f"{self.name} {at}".encode()).hexdigest((self.letters + 1) // 2)[: self.letters]
        return drawn.encode().translate(_ALPHABET).decode()


@dataclass(frozen=True)
class Kind:
    """Requests that differ in their placeholders and in the size of their bodies, which `size` draws as if it
    were seconds."""

    weight: float = 1.0
    method: str = "GET"
    host: str = "localhost"
    target: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    size: Service | None = None
    json: Any = None

    def texts(self) -> list[str]:
        """All that may hold placeholders."""
        return [self.target, self.host, *(value for _, value in self.headers), *_texts(self.json)]

    def placeholders(self) -> list[str]:
        return sorted({name for text in self.texts() for name in PLACEHOLDER.findall(text)})


class Clients:
    """Draws a kind by its weight, then what is in its placeholders: one value of a name for each request."""

    def __init__(self, kinds: tuple[Kind, ...], values: Mapping[str, Values]) -> None:
        self.kinds: Final = kinds
        self._upto: Final = list(accumulate(kind.weight for kind in kinds))
        self._values: Final = [[values[name] for name in kind.placeholders()] for kind in kinds]

    def __call__(self, rng: Random) -> Request:
        upto = self._upto
        at = 0 if len(upto) == 1 else bisect_right(upto, rng.random() * upto[-1])
        return self.of_kind(min(at, len(upto) - 1), rng)

    def of_kind(self, at: int, rng: Random) -> Request:
        kind = self.kinds[at]
        drawn = {values.name: values.draw(rng) for values in self._values[at]}
        fill = partial(_filled, drawn=drawn) if drawn else _as_it_is
        headers = [(name, fill(value).encode()) for name, value in kind.headers]
        body = b""
        if kind.json is not None:
            body = json.dumps(_mapped(kind.json, fill)).encode()
            headers.append(("content-type", b"application/json"))
        size = len(body) if kind.size is None else max(round(kind.size.draw(rng)), 1)
        if size:
            headers.append(("content-length", b"%d" % size))
        read = headers_of(headers)
        attached = Given(read, body, {}, UNKNOWN_SIZE, {}, _BODY_LIMIT) if body else None
        return Request(kind.method, fill(kind.host), fill(kind.target), read, attached, ends=not size)


def _filled(text: str, drawn: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda found: drawn[found[1]], text)


def _as_it_is(text: str) -> str:
    return text


def _mapped(data: Any, fill: Any) -> Any:
    if isinstance(data, str):
        return fill(data)
    if isinstance(data, list):
        return [_mapped(each, fill) for each in data]
    if isinstance(data, dict):
        return {key: _mapped(each, fill) for key, each in data.items()}
    return data


def _texts(data: Any) -> list[str]:
    if isinstance(data, str):
        return [data]
    below = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return [text for each in below for text in _texts(each)]
