"""What a route does to some of its requests on purpose: delays, failures, copies to another cluster."""

from random import Random
from typing import Final, final


@final
class Drawn:
    """What happens to one request. 0 and the empty text are nothing."""

    def __init__(self, delay_ms: int, abort_status: int, mirror: str) -> None:
        self.delay_ms: Final = delay_ms
        self.abort_status: Final = abort_status
        self.mirror: Final = mirror


@final
class Happening:
    """Each is drawn for itself, by its share of the route's requests, 0 to 1."""

    def __init__(
        self,
        delay_ms: int = 0,
        delay_share: float = 1.0,
        abort_status: int = 0,
        abort_share: float = 1.0,
        mirror: str = "",
        mirror_share: float = 1.0,
    ) -> None:
        self.delay_ms: Final = delay_ms
        self.delay_share: Final = delay_share
        self.abort_status: Final = abort_status
        self.abort_share: Final = abort_share
        self.mirror: Final = mirror
        self.mirror_share: Final = mirror_share

    def draw(self, rng: Random) -> Drawn | None:
        """None when nothing happens."""
        delay = self.delay_ms if self.delay_ms and rng.random() < self.delay_share else 0
        abort = self.abort_status if self.abort_status and rng.random() < self.abort_share else 0
        mirror = self.mirror if self.mirror and rng.random() < self.mirror_share else ""
        return Drawn(delay, abort, mirror) if delay or abort or mirror else None
