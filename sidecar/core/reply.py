"""Answers that need no endpoint: fixed ones, and redirects, which depend on what was asked."""

from collections.abc import Callable
from typing import Final, final

from sidecar.core.request import Request
from sidecar.core.state.answers import Kept
from sidecar.names import LAST_GOOD_HEADER


@final
class Reply:
    """Envoy answers so, and asks no endpoint. Header names are lower-case. `data`, where there is any, is the
    body in place of the text."""

    def __init__(
        self,
        route: str,
        status: int,
        headers: tuple[tuple[str, str], ...],
        body: str = "",
        data: bytes | None = None,
    ) -> None:
        self.route: Final = route
        self.status: Final = status
        self.headers: Final = headers
        self.body: Final = body
        self.data: Final = data


@final
class Redirect:
    """Tells the client to ask elsewhere. What is empty or None stays as it was asked.

    `path` maps the old path to the new one. Without a new host or scheme the location is a path alone, which
    keeps both.
    """

    def __init__(
        self,
        route: str,
        status: int,
        path: Callable[[str], str] | None = None,
        host: str = "",
        scheme: str = "",
        *,
        keep_query: bool = True,
    ) -> None:
        self._route: Final = route
        self._status: Final = status
        self._path: Final = path
        self._host: Final = host
        self._scheme: Final = scheme
        self._keep_query: Final = keep_query

    def reply(self, request: Request) -> Reply:
        path = request.path if self._path is None else self._path(request.path)
        query = request.query
        if self._keep_query and query:
            path = f"{path}{'&' if '?' in path else '?'}{query}"
        if self._host or self._scheme:
            scheme = self._scheme or request.headers.first(":scheme") or "http"
            path = f"{scheme}://{self._host or request.authority}{path}"
        elif path.startswith("//"):
            path = "/" + path.lstrip("/")  # a location that begins so would name another host
        return Reply(self._route, self._status, (("location", path),))


def reply_of(route: str, kept: Kept, now: float) -> Reply:
    """The answer that was kept, and how old it is."""
    age = str(int(max(now - kept.made_at, 0.0)))
    return Reply(route, 200, (*kept.headers, ("age", age), (LAST_GOOD_HEADER, age)), data=kept.body)
