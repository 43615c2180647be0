"""A copy of a response while it passes by, for the last good answers.

Envoy shows each part and goes on when it is answered, so nothing of the response is held back. The copy is
given up as soon as it is clear that it will not be kept: so no response, however long, takes more than the
route allows, and neither do many at once.
"""

from typing import Final

from sidecar.core.request import Headers
from sidecar.core.state.answers import Keeping

_NO_HEADERS: Final = Headers({})


class Copy:
    """`over` when no more is wanted, `complete` when it is whole. To be closed in any case."""

    def __init__(self, keeping: Keeping, question: str) -> None:
        self._keeping: Final = keeping
        self._parts = bytearray()
        self._begun = False
        self.question: Final = question
        self.headers = _NO_HEADERS
        self.over = False
        self.complete = False

    def begin(self, headers: Headers, *, end: bool) -> None:
        status = headers.first(":status") or ""
        if self._begun or status != "200" or not self._keeping.takes(200, headers):
            self._give_up()
            return
        self._begun = True
        self.headers = headers
        self.complete = self.over = end

    def add(self, part: bytes, *, end: bool) -> None:
        """The next bytes of the body. A body that ends with trailers has no last part, and is not kept."""
        if self.over:
            return
        keeping, size = self._keeping, len(part)
        too_many = keeping.under_way + size > keeping.most_bytes
        if not self._begun or too_many or len(self._parts) + size > keeping.max_size:
            self._give_up()
            return
        keeping.under_way += size
        self._parts += part
        self.complete = self.over = end

    def body(self) -> bytes:
        return bytes(self._parts)

    def close(self) -> None:
        """Nothing is held any more."""
        self._keeping.under_way -= len(self._parts)
        self._parts = bytearray()

    def _give_up(self) -> None:
        self.close()
        self.complete = False
        self.over = True
