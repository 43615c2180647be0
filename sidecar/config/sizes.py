"""Sizes as people write them, and conditions on them."""

import re
from typing import Final

from sidecar.config.errors import Findings, Where, shown
from sidecar.config.values import size_in_bytes
from sidecar.core.rules.size import SizeWithin

_SIZE: Final = r"([0-9]{1,9}(?:\.[0-9]{1,3})?) *([KMGT]?B|)"
_BOUND: Final = re.compile(rf" *(>=|<=|>|<) *{_SIZE} *", re.IGNORECASE)
_RANGE: Final = re.compile(rf" *{_SIZE} *\.\. *{_SIZE} *", re.IGNORECASE)


def size_condition(text: str, where: Where, findings: Findings) -> SizeWithin | None:
    """What `> 10MB`, `<= 500KB` or `1MB..10MB` asks; 1 KB is 1024 bytes, and both ends belong to a range."""
    bound = _BOUND.fullmatch(text)
    if bound is not None:
        size = size_in_bytes(bound[2], bound[3])
        if bound[1] == "<" and size == 0:
            findings.add(where, f"no body is {shown(text)}", "write <= 0B for none")
            return None
        least, most = {
            ">": (size + 1, -1),
            ">=": (size, -1),
            "<": (0, size - 1),
            "<=": (0, size),
        }[bound[1]]
        return SizeWithin(least, most)
    given = _RANGE.fullmatch(text)
    if given is None:
        findings.add(where, f"{shown(text)} is not a size", 'write "> 10MB", "< 1MB" or "1MB..10MB"')
        return None
    least, most = size_in_bytes(given[1], given[2]), size_in_bytes(given[3], given[4])
    if most < least:
        findings.add(where, f"{shown(text)} begins after its end", "write the smaller size first")
        return None
    return SizeWithin(least, most)
