"""Paths as Envoy sends them on, for callers that ask without an Envoy in front of them.

A rule on `/admin` must hold for `//admin`, `/%61dmin` and `/x/../admin` too. Envoy sees to that before it
asks the sidecar; this does the same for everybody else, step by step as Envoy does it with `normalize_path`,
`merge_slashes` and `UNESCAPE_AND_REDIRECT`. Where Envoy would send the client to the plain spelling, that one
counts. The end-to-end tests compare the two.
"""

import re
from typing import Final

LONGEST: Final = 65_536
"""Bytes of a path and its query; Envoy takes 60 KB for all headers together."""

_USUAL: Final = re.compile(r"(?:/[0-9A-Za-z_~!$&'()*+,:;=@\[\]-][0-9A-Za-z_~!$&'()*+,:;=@\[\].-]*)+/?|/|\*")
"""What no step changes: most paths."""
_SLASH: Final = re.compile(rb"%2[Ff]")
_BACKSLASH: Final = re.compile(rb"%5[Cc]")
_KEPT: Final = frozenset(
    b"!$%&'()*+,-./0123456789:;=@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz~"
)
"""Stay as they are; every other byte is written as an escape."""
_UNESCAPED: Final = frozenset(b"-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~")
"""Are never written as an escape: RFC 3986, section 2.3."""
_HEX: Final = rb"[0-9A-Fa-f]"
_DIGIT: Final = rb"(?:[0-9A-Fa-f]|%3[0-9]|%[46][1-6])"
# Taking an escape apart must not make another one: the stray % in `%%361` would become the first of `%61`.
_CHANGED: Final = re.compile(
    rb"%" + _HEX + rb"{2}|%(?=" + _DIGIT + rb"{2})|[^" + re.escape(bytes(sorted(_KEPT))) + rb"]"
)


def normal(target: str) -> str:
    """The path with its query, in the one spelling that rules and endpoints see; the query stays as it is.

    ValueError says why Envoy would not take it.
    """
    if len(target) > LONGEST:
        raise ValueError(f"path must have at most {LONGEST:,} characters, got {len(target):,}")
    path, mark, query = target.partition("?")
    if "#" in target:
        raise ValueError(f"path must have no fragment, write # as %23, got {target[:200]!r}")
    if _USUAL.fullmatch(path) is not None or not path.startswith("/"):
        return target
    written = path.encode("utf-8", "surrogateescape")
    while b"%" in written:
        plain = _BACKSLASH.sub(rb"\\", _SLASH.sub(b"/", written))
        if plain == written:
            break
        # Envoy redirects to this, and then it begins anew.
        written = _spelled(plain)
    return _spelled(written).decode() + mark + query


def _spelled(path: bytes) -> bytes:
    if b".;" in path:
        path = b"/".join(_without_parameters(segment) for segment in path.split(b"/"))
    path = _CHANGED.sub(_respelled, path)
    kept: list[bytes] = []
    segments = path.split(b"/")[1:]
    for segment in segments:
        if segment == b"..":
            if kept:
                kept.pop()
        elif segment != b".":
            kept.append(segment)
    if segments[-1] in {b".", b".."}:
        kept.append(b"")
    path = b"/" + b"/".join(kept)
    if b"//" in path:
        # Slashes alone become two, not one: that is what Envoy sends on.
        end = b"/" if path.endswith(b"/") else b""
        path = b"/" + b"/".join(segment for segment in kept if segment) + end
    return path


def _without_parameters(segment: bytes) -> bytes:
    """`..;x` goes up like `..`, because servers that take parameters off would do so."""
    if segment.startswith(b"..;"):
        return b".."
    return b"." if segment.startswith(b".;") else segment


def _respelled(found: re.Match[bytes]) -> bytes:
    said = found[0]
    if len(said) == 3:
        byte = int(said[1:], 16)
        if byte == 0:
            raise ValueError(f"path must have no %00, got {found.string[:200].decode('ascii', 'replace')!r}")
        return bytes((byte,)) if byte in _UNESCAPED else said
    if said == b"\\":
        return b"/"
    return b"%%%02X" % said[0]
