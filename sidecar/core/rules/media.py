"""The content type of a request's body."""

from typing import Final, final

from sidecar.core.request import Request
from sidecar.core.rules.base import Matcher, shown


@final
class TypeIn(Matcher):
    """The body has one of these content types, such as `image/png` or `image/*`, or there is no body.

    Parameters behind a semicolon and case say nothing. A body without a type has none of them, and where a
    request names several types each must be one of them: Envoy makes one header of two, with a comma between.
    So a comma in a parameter begins a type as well, whatever quotes are around it.
    """

    def __init__(self, types: tuple[str, ...]) -> None:
        self._types: Final = tuple(each.lower() for each in types)
        self._whole: Final = frozenset(each for each in self._types if not each.endswith("/*"))
        self._kinds: Final = frozenset(each[:-2] for each in self._types if each.endswith("/*"))

    def matches(self, request: Request) -> bool:
        if request.ends or request.headers.first("content-length") == "0":
            return True
        values = request.headers.values("content-type")
        for value in values:
            if "," not in value:
                if not self._holds(value):
                    return False
                continue
            for each in value.split(","):
                if not self._holds(each):
                    return False
        return bool(values)

    def _holds(self, value: str) -> bool:
        name = value.partition(";")[0].strip().lower()
        if name in self._whole:
            return True
        kind, _, rest = name.partition("/")
        return bool(rest) and (kind in self._kinds or "*" in self._kinds)

    def text(self) -> str:
        return f"content type is {' or '.join(self._types)}"

    def seen(self, request: Request) -> str:
        if request.ends or request.headers.first("content-length") == "0":
            return "no body"
        return shown(request.headers.values("content-type"))
