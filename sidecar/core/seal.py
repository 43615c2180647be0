"""Texts that a client keeps for us, and that it can neither make nor change.

A sealed text holds a mark of what it stands for, when it ends, and a code over both that takes the secret to
make (HMAC, RFC 2104, with SHA-256, cut to 16 bytes as RFC 2104, section 5 allows). The mark is made with the
secret as well: names of endpoints are often addresses, which are nobody's business outside.
"""

from base64 import urlsafe_b64encode
from hmac import compare_digest, digest
from math import ceil
from typing import Final, final

SHORTEST_SECRET: Final = 16
"""In bytes."""
_MARK_BYTES: Final = 9
_CODE_BYTES: Final = 16
_LONGEST: Final = 64
FORGED: Final = -1.0


@final
class Seal:
    """The first of the `secrets` seals, and all of them read: so that a secret can be changed while sealed
    texts are out. `scope` tells apart what is sealed with the same secret. Times are in seconds of the wall
    clock since 1970, because what is sealed outlives the process."""

    def __init__(self, secrets: tuple[bytes, ...]) -> None:
        if not secrets:
            raise ValueError("secrets must not be empty")
        for secret in secrets:
            if len(secret) < SHORTEST_SECRET:
                raise ValueError(f"secrets must be of at least {SHORTEST_SECRET} bytes, got {len(secret)}")
        self._secrets: Final = secrets

    def marks(self, scope: str, what: str) -> list[str]:
        """What stands for this text: one for each secret, and the first to be sealed."""
        message = f"mark\x00{scope}\x00{what}".encode("utf-8", "surrogateescape")
        return [_text(digest(secret, message, "sha256")[:_MARK_BYTES]) for secret in self._secrets]

    def sealed(self, scope: str, mark: str, ends_at: float) -> str:
        """Its characters may all stand in a cookie as they are. It ends less than a second later."""
        told = f"{mark}.{max(ceil(ends_at), 0):x}"
        return f"{told}.{_code(self._secrets[0], scope, told)}"

    def ends_at(self, scope: str, sealed: str) -> float:
        """When it ends. FORGED when it is not ours, malformed, or of another scope."""
        if len(sealed) > _LONGEST or not sealed.isascii():
            return FORGED
        told, _, code = sealed.rpartition(".")
        for secret in self._secrets:
            if compare_digest(_code(secret, scope, told), code):
                # What has the right code is as `sealed` wrote it.
                return float(int(told.partition(".")[2], 16))
        return FORGED


def mark_in(sealed: str) -> str:
    """The mark that it claims to have, whoever made it."""
    return sealed.partition(".")[0]


def _code(secret: bytes, scope: str, told: str) -> str:
    message = f"seal\x00{scope}\x00{told}".encode("utf-8", "surrogateescape")
    return _text(digest(secret, message, "sha256")[:_CODE_BYTES])


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")
