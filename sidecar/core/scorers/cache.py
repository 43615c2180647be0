"""How likely an endpoint has the answer, or the beginning of its prompt, in a cache."""

from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.rules.base import Field
from sidecar.core.scorers.base import Asked, Scorer
from sidecar.core.state.prefixes import SHORTEST, prefix_keys

_NOBODY_KNOWS: Final = 0.5


@final
class Cache(Scorer):
    """The cache hit rate that the endpoint reports, or the part of this prompt that it has served, if more.

    Where `prompt` names fields that hold the prompt, the part is the longest beginning of 256, 512, 1,024 …
    characters that the endpoint was the last to serve, within `kept_s` seconds, over the prompt's length: as
    the prefix scorer of Kubernetes' Gateway API inference extension has the matching blocks over all.

    An endpoint that reports no hit rate is taken for the average of those that do; where nobody does, all
    have a half.
    """

    def __init__(self, prompt: tuple[Field, ...] = (), kept_s: float = 600.0) -> None:
        if kept_s <= 0:
            raise ValueError(f"kept_s must be above 0, got {kept_s}")
        self._prompt: Final = prompt
        self._kept_s: Final = kept_s

    def score(self, asked: Asked, endpoints: list[Endpoint], weights: list[float]) -> list[float]:
        reports, now = asked.state.reports, asked.now
        scores: list[float] = []
        known = 0
        total = 0.0
        for endpoint in endpoints:
            hits = reports.cache_hit_rate(endpoint.key, now)
            if hits >= 0.0:
                known += 1
                total += hits
            scores.append(hits)
        if known < len(scores):
            average = total / known if known else _NOBODY_KNOWS
            for at, score in enumerate(scores):
                if score < 0.0:
                    scores[at] = average
        if self._prompt:
            self._count_prompts(asked, endpoints, scores)
        return scores

    def unknown(self) -> float:
        return _NOBODY_KNOWS

    def favours(self, asked: Asked) -> Endpoint | None:
        """Who served the longest beginning of this prompt."""
        if self._prompt:
            for key in prefix_keys(asked.salt, self._text(asked)):
                name = asked.state.prefixes.of(key, asked.now)
                endpoint = None if name is None else asked.candidates.by_key.get(name)
                if endpoint is not None:
                    return endpoint
        return None

    def admitted(self, asked: Asked, endpoint: Endpoint) -> None:
        if self._prompt:
            for key in prefix_keys(asked.salt, self._text(asked)):
                asked.state.prefixes.bind(key, endpoint.key, asked.now + self._kept_s, asked.now)

    def _count_prompts(self, asked: Asked, endpoints: list[Endpoint], scores: list[float]) -> None:
        text = self._text(asked)
        keys = prefix_keys(asked.salt, text)
        served: dict[str, float] = {}
        for at, key in enumerate(keys):
            name = asked.state.prefixes.of(key, asked.now)
            if name is not None and name not in served:
                served[name] = (SHORTEST << (len(keys) - 1 - at)) / len(text)
        if served:
            for at, endpoint in enumerate(endpoints):
                scores[at] = max(scores[at], served.get(endpoint.key, 0.0))

    def _text(self, asked: Asked) -> str:
        for field in self._prompt:
            for value in field.read(asked.request):
                if value:
                    return value
        return ""
