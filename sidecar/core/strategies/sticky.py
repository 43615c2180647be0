"""A client stays with the endpoint that it was given first; any other strategy chooses that one.

The session is known by a key of the request, which the sidecar remembers, or by a cookie that it gave to the
client itself. The first stays right when the endpoint has to be changed under way; the second is still there
after a restart, and at another sidecar. So memory is asked first.
"""

from typing import Final, final

from sidecar.core.cookie import SessionCookie, Shown
from sidecar.core.endpoint import Endpoint
from sidecar.core.request import NOT_LOOKED_AT
from sidecar.core.rules.base import Field
from sidecar.core.state.bindings import key_of, salt_of
from sidecar.core.state.pools import Pool
from sidecar.core.strategies.base import Strategy, Turn

_NONE: Final = -1
_SPARE: Final = 0.01
"""Of the timeout: by so much longer a session may last, which spares the writing while requests come fast."""


@final
class Sticky(Strategy):
    """`by` are the fields that may hold the key of the session; the first that has a value counts.

    A session ends when nobody used it for `timeout_s` seconds, or up to a hundredth longer. `cookie` is the
    one that it may be known by as well, as one of the arm `arm`. `scope` tells its keys from those of others;
    those of the same scope share their sessions. Without one, they are the pool's. A request without a
    session, and one whose endpoint may not be picked any more, goes where `then` says; so do the fallbacks.
    """

    def __init__(
        self,
        then: Strategy,
        by: tuple[Field, ...] = (),
        *,
        timeout_s: float = 300.0,
        cookie: SessionCookie | None = None,
        arm: str = "",
        scope: str = "",
    ) -> None:
        if timeout_s <= 0:
            raise ValueError(f"timeout_s must be above 0, got {timeout_s}")
        if not by and cookie is None:
            raise ValueError("by must name a field where there is no cookie")
        self._then: Final = then
        self._by: Final = by
        self._timeout_s: Final = timeout_s
        self._spare_s: Final = _SPARE * timeout_s
        self._cookie: Final = cookie
        self._arm: Final = arm
        self._salt: Final = salt_of(scope) if scope else _NONE

    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        bound = self._bound(turn)
        turn.stays = bound is not None
        if bound is None:
            return self._then.rank(turn, want)
        if want == 1:
            return [bound]
        others = [other for other in self._then.rank(turn, want) if other.key != bound.key]
        return [bound, *others[: want - 1]]

    def source(self, turn: Turn) -> Pool:
        return self._then.source(turn)

    def arrange(self, pool: Pool) -> None:
        self._then.arrange(pool)

    def admitted(self, turn: Turn, endpoint: Endpoint) -> None:
        key = self._key(turn)
        if key >= 0:
            until = turn.now + self._timeout_s + self._spare_s
            turn.state.sessions.bind(key, endpoint.key, until, turn.now, self._spare_s)
        self._then.admitted(turn, endpoint)

    def cookie(self, turn: Turn, endpoint: Endpoint) -> str:
        if self._cookie is None:
            return ""
        return self._cookie.written(turn.request, self._shown(turn), self._arm, endpoint.key)

    def scores(self, turn: Turn) -> list[tuple[Endpoint, float]]:
        return self._then.scores(turn)

    def parts(self, turn: Turn) -> list[tuple[Endpoint, list[tuple[str, float]]]]:
        return self._then.parts(turn)

    def _key(self, turn: Turn) -> int:
        """Negative when the request names no session. Found once for each turn."""
        if turn.session == NOT_LOOKED_AT:
            turn.session = self._found(turn)
        return turn.session

    def _found(self, turn: Turn) -> int:
        for field in self._by:
            value = field.first(turn.request)
            if value:  # an empty key would send everybody without one to the same endpoint
                return key_of(turn.pool.salt if self._salt < 0 else self._salt, value)
        return _NONE

    def _shown(self, turn: Turn) -> Shown | None:
        if turn.shown is None and self._cookie is not None:
            turn.shown = self._cookie.shown(turn.request)
        return turn.shown

    def _bound(self, turn: Turn) -> Endpoint | None:
        """The endpoint of the request's session, where it may still be picked."""
        key = self._key(turn)
        if key >= 0:
            name = turn.state.sessions.of(key, turn.now)
            if name is not None:
                endpoint = turn.candidates.by_key.get(name)
                if endpoint is not None:
                    return endpoint
        if self._cookie is not None:
            shown = self._shown(turn)
            if shown is not None and shown.arm == self._arm:
                return turn.candidates.by_key.get(shown.endpoint_key)
        return None
