"""Only endpoints that serve the model that the request asks for."""

from collections.abc import Mapping
from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.filters.base import Filter, Sieve
from sidecar.core.request import Request
from sidecar.core.rules.base import Field, quoted
from sidecar.core.state.memory import State

_UNKNOWN: Final[frozenset[str]] = frozenset()


@final
class _Model(Sieve):
    def __init__(self, model: str, names: frozenset[str], kept: str) -> None:
        super().__init__(f"model {quoted(model)}", kept)
        self._names: Final = names

    def why_not(self, endpoint: Endpoint) -> str:
        models = endpoint.offer.models
        if not models or not models.isdisjoint(self._names):
            return ""
        return f"it serves {', '.join(sorted(models))}, not {self.name}"


@final
class Models(Filter):
    """`names` has, for each model that some endpoint declares, all names by which endpoints declare it.

    An endpoint that declares no model serves any. So a model that nobody declares goes to those alone.
    """

    def __init__(self, model: Field, names: Mapping[str, frozenset[str]]) -> None:
        self._model: Final = model
        self._sieves: Final = {each: _Model(each, names[each], f"model {each}") for each in names}

    def sieve(self, request: Request, state: State, now: float) -> Sieve | None:
        for model in self._model.read(request):
            if model:
                known = self._sieves.get(model)
                # One key for all that are unknown: a request may ask for anything.
                return _Model(model, _UNKNOWN, "no model") if known is None else known
        return None
