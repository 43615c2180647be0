"""What an endpoint says of itself: how busy it is, how much of its quota is used, how its cache does."""

from typing import Final, final

UNKNOWN: Final = -1.0
MOST_SHARE: Final = 10.0
"""More than ten times what there is, is a percentage, or nonsense."""


@final
class Report:
    """Each number is below 0 where it was not told. `utilisation`: 0 is idle, 1 is all that the endpoint can
    do, more is beyond. `quota_used`: 1 is all of it. `cache_hit_rate`: 0 to 1. `ignored` counts numbers that
    cannot be."""

    def __init__(
        self,
        utilisation: float = UNKNOWN,
        quota_used: float = UNKNOWN,
        cache_hit_rate: float = UNKNOWN,
        ignored: int = 0,
    ) -> None:
        self.utilisation: Final = utilisation
        self.quota_used: Final = quota_used
        self.cache_hit_rate: Final = cache_hit_rate
        self.ignored: Final = ignored

    def says_something(self) -> bool:
        return self.utilisation >= 0.0 or self.quota_used >= 0.0 or self.cache_hit_rate >= 0.0
