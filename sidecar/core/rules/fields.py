"""The parts of a request that conditions look at by name."""

from collections.abc import Callable
from typing import Final, final

from sidecar.core.request import Request
from sidecar.core.rules.base import Field


@final
class MethodField(Field):
    def read(self, request: Request) -> list[str]:
        return [request.method]

    def any_of(self, request: Request, values: tuple[str, ...]) -> bool:
        return request.method in values

    def name(self) -> str:
        return "method"


@final
class HeaderField(Field):
    """A header; its name ignores case. Every value of a repeated header counts."""

    def __init__(self, header: str) -> None:
        self._header: Final = header.lower()

    def read(self, request: Request) -> list[str]:
        return request.headers.values(self._header)

    def first(self, request: Request) -> str:
        value = request.headers.first(self._header)
        if value is None or value:
            return value or ""
        for value in request.headers.values(self._header):
            if value:
                return value
        return ""

    def any_of(self, request: Request, values: tuple[str, ...]) -> bool:
        return request.headers.any_of(self._header, values)

    def name(self) -> str:
        return f"header {self._header}"


@final
class QueryField(Field):
    """A query parameter, decoded; its name keeps its case."""

    def __init__(self, parameter: str) -> None:
        self._parameter: Final = parameter

    def read(self, request: Request) -> list[str]:
        return request.query_values(self._parameter)

    def name(self) -> str:
        return f"query {self._parameter}"


@final
class CookieField(Field):
    def __init__(self, cookie: str) -> None:
        self._cookie: Final = cookie

    def read(self, request: Request) -> list[str]:
        return request.cookie_values(self._cookie)

    def name(self) -> str:
        return f"cookie {self._cookie}"


@final
class PathField(Field):
    """A part of the path. `capture` returns it, or the empty text where there is none; it is handed in, and
    must take linear time."""

    def __init__(self, pattern: str, capture: Callable[[str], str]) -> None:
        self._pattern: Final = pattern
        self._capture: Final = capture

    def read(self, request: Request) -> list[str]:
        value = self._capture(request.path)
        return [value] if value else []

    def name(self) -> str:
        return f"path by {self._pattern}"
