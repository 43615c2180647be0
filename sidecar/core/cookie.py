"""The cookie by which a client comes back to its endpoint: after a restart, and at another sidecar.

What a client sends is read as if anybody had made it. Whatever is not ours, is over, or names an endpoint
that is not there any more, is as if there were no cookie.
"""

from collections.abc import Iterable, Mapping
from math import ceil
from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.request import Request
from sidecar.core.seal import Seal, mark_in

_LIFE: Final = 1.5
"""In timeouts. It is renewed when less than one is left. So a client may be idle for one timeout at least,
and not every answer writes the cookie again."""
_MOST_READ: Final = 4
"""Of the cookies of one name: a request must not have us check a thousand codes."""
_FORWARDED: Final = "x-forwarded-proto"


@final
class Shown:
    """What a cookie of ours says: the endpoint, by its key, in which arm of its route, and until when."""

    def __init__(self, arm: str, endpoint_key: str, ends_at: float) -> None:
        self.arm: Final = arm
        self.endpoint_key: Final = endpoint_key
        self.ends_at: Final = ends_at


@final
class SessionCookie:
    """The cookie `name` for the endpoints of these `arms`, each by its name.

    `secure` says whether browsers may send it over TLS only; None: whether the client came so, as the proxy
    says. Routes that have the same cookie and arms share it. Times are of the wall clock.
    """

    def __init__(
        self,
        name: str,
        seal: Seal,
        timeout_s: float,
        arms: Mapping[str, Iterable[Endpoint]],
        secure: bool | None = None,
    ) -> None:
        if timeout_s <= 0:
            raise ValueError(f"timeout_s must be above 0, got {timeout_s}")
        self.name: Final = name
        self._seal: Final = seal
        self._timeout_s: Final = timeout_s
        self._life_s: Final = timeout_s * _LIFE
        self._secure: Final = secure
        self._attributes: Final = f"; Max-Age={ceil(self._life_s)}; Path=/; HttpOnly; SameSite=Lax"
        self._places: Final[dict[str, tuple[str, str]]] = {}
        """Arm and key of the endpoint, by mark."""
        self._marks: Final[dict[tuple[str, str], str]] = {}
        for arm, endpoints in arms.items():
            for endpoint in endpoints:
                place = (arm, endpoint.key)
                marks = seal.marks(name, f"{arm}\x00{endpoint.key}")
                self._marks[place] = marks[0]
                for mark in marks:
                    self._places[mark] = place

    def shown(self, request: Request) -> Shown | None:
        """What the request's cookie says; None where there is none that counts."""
        for value in request.cookie_values(self.name)[:_MOST_READ]:
            place = self._places.get(mark_in(value))
            if place is not None:
                ends_at = self._seal.ends_at(self.name, value)
                if request.received_at < ends_at:
                    return Shown(place[0], place[1], ends_at)
        return None

    def written(self, request: Request, shown: Shown | None, arm: str, endpoint_key: str) -> str:
        """A `set-cookie` that keeps the client at this endpoint. Empty when the cookie `shown` does so for
        long enough, and for an endpoint that is in none of the arms."""
        mark = self._marks.get((arm, endpoint_key))
        if mark is None:
            return ""
        now = request.received_at
        if (
            shown is not None
            and shown.endpoint_key == endpoint_key
            and shown.arm == arm
            and shown.ends_at - now >= self._timeout_s
        ):
            return ""
        secure = self._secure
        if secure is None:
            secure = (request.headers.first(_FORWARDED) or "").strip().lower() == "https"
        value = self._seal.sealed(self.name, mark, now + self._life_s)
        return f"{self.name}={value}{self._attributes}{'; Secure' if secure else ''}"
