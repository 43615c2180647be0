"""Who gets in at all: conditions that refuse, asked before any route and found in the same way."""

from typing import Final, final

from sidecar.core.refusal import Refusal
from sidecar.core.request import Request
from sidecar.core.rules.base import Matcher
from sidecar.core.rules.index import RuleIndex


@final
class Gate:
    """Refuses a request for which `refuses` holds."""

    def __init__(self, name: str, refuses: Matcher, refusal: Refusal) -> None:
        self.name: Final = name
        self.refuses: Final = refuses
        self.refusal: Final = refusal


@final
class Gates:
    """In the order of the file; the first that refuses counts."""

    def __init__(self, gates: tuple[Gate, ...]) -> None:
        self.gates: Final = gates
        self._index: Final = RuleIndex([gate.refuses for gate in gates])

    def refusal(self, request: Request) -> Refusal | None:
        at = self._index.find(request)
        return None if at < 0 else self.gates[at].refusal
