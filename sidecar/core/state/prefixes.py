"""Keys for the beginnings of a text, to find who had the longest beginning that it shares with another."""

from typing import Final

from sidecar.core.state.bindings import key_of

SHORTEST: Final = 256
"""Characters, about 64 tokens: what is shorter is not worth a detour."""
_LONGEST: Final = 1 << 16
_LOW: Final = (1 << 53) - 1


def prefix_keys(salt: int, text: str) -> list[int]:
    """Of the first 256, 512, 1,024 … characters of the text, as far as it reaches; the longest first.

    Each beginning is twice as long as the one before it: a key for every block would be found more exactly,
    and cost a hundred entries of the table where this costs six. A beginning has the key of what it adds to
    the one before it, salted with the key of that: so each character is hashed once.
    """
    keys: list[int] = []
    size = len(text)
    key = salt
    begin = 0
    end = SHORTEST
    while end <= size and end <= _LONGEST:
        # Turned by 7 of its 60 bits: else two pieces that are alike would cancel each other out.
        key = key_of((key & _LOW) << 7 | key >> 53, text[begin:end])
        keys.append(key)
        begin = end
        end *= 2
    keys.reverse()
    return keys
