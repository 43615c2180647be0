"""Bodies and metadata behind a request: told by Envoy, as they arrive, or handed over by a caller.

JSON is read as Envoy's `json_to_metadata` reads it, so that it seldom matters which of the two did: what one
of them refuses is no JSON for the other either, but for numbers and levels that no rule asks for, in bodies
of some size (`document.JUDGED_BYTES`). Of a key that comes twice the last counts, a byte order mark is passed
over, and charsets are not looked at.
"""

import contextlib
import sys
from collections.abc import Mapping
from typing import Final

from envoy.config.core.v3.base_pb2 import Metadata
from google.protobuf.message import DecodeError
from google.protobuf.struct_pb2 import Struct, Value

from sidecar.core.request import UNKNOWN_SIZE, Attached, Headers
from sidecar.core.rules.body import canonical, looked_into, plain
from sidecar.names import BODY_NAMESPACE
from sidecar.wire.document import Document, found, parsed

_NOTHING: Final[list[str]] = []
_NEVER: Final = sys.maxsize
_MOST_DIGITS: Final = 18


def told(struct: Mapping[str, Value], path: str) -> list[str]:
    """The values at the dotted path as text; of a list, each. A key may itself hold dots, as claims do whose
    names are URLs."""
    value = _at(struct, path)
    if value is None:
        return _NOTHING
    if value.WhichOneof("kind") == "list_value":
        return [text for each in value.list_value.values if (text := plain(_canonical(each))) is not None]
    text = plain(_canonical(value))
    return _NOTHING if text is None else [text]


def _at(struct: Mapping[str, Value], path: str) -> Value | None:
    if path in struct:
        return struct[path]
    dot = path.find(".")
    while dot >= 0:
        head = path[:dot]
        if head in struct and struct[head].WhichOneof("kind") == "struct_value":
            below = _at(struct[head].struct_value.fields, path[dot + 1 :])
            if below is not None:
                return below
        dot = path.find(".", dot + 1)
    return None


def _canonical(value: Value) -> str | None:
    match value.WhichOneof("kind"):
        case "string_value":
            return canonical(value.string_value)
        case "number_value":
            return canonical(value.number_value)
        case "bool_value":
            return canonical(value.bool_value)
        case "null_value":
            return canonical(None)
    return None


class Said(Attached):
    """What Envoy's filters said of the request, fields of its body too. Nothing is decoded until asked."""

    def __init__(self, headers: Headers, metadata: bytes) -> None:
        """`metadata` is an encoded `envoy.config.core.v3.Metadata`."""
        self._headers: Final = headers
        self._encoded: Final = metadata
        self._namespaces: Mapping[str, Struct] | None = None
        self._looked_into: bool | None = None

    def body_json(self, path: str) -> str | None:
        fields = self._all.get(BODY_NAMESPACE)
        if fields is None or path not in fields.fields:
            return None
        if self._looked_into is None:
            self._looked_into = looked_into(self._headers)
        return _canonical(fields.fields[path]) if self._looked_into else None

    def metadata(self, namespace: str, path: str) -> list[str]:
        struct = self._all.get(namespace)
        return _NOTHING if struct is None else told(struct.fields, path)

    def has_metadata(self, namespace: str, path: str) -> bool:
        struct = self._all.get(namespace)
        return struct is not None and _at(struct.fields, path) is not None

    @property
    def _all(self) -> Mapping[str, Struct]:
        if self._namespaces is None:
            try:
                self._namespaces = Metadata.FromString(self._encoded).filter_metadata
            except DecodeError:  # its reader has checked it; nothing else may come of it in any case
                self._namespaces = {}
        return self._namespaces


class Arriving(Attached):
    """A body that Envoy hands over while it comes, and what its filters said.

    It holds what came until `take`, and counts on after that. What a rule asks for too early is remembered:
    `waits` says whether more must come for it, `too_large` that it never will.
    """

    def __init__(self, headers: Headers, metadata: bytes, limit: int) -> None:
        """Bodies of more than `limit` bytes are not looked into, and no size is counted beyond."""
        self._said: Final = Said(headers, metadata)
        self._looked_into: Final = looked_into(headers)
        self._limit: Final = limit
        self._written: Final = _written_size(headers)
        self._held = bytearray()  # one piece: a client may send a byte at a time
        self._document: Document | None = None
        self._read = False
        self._json_asked = False
        self._count_to = 0
        self._mark = _NEVER
        self.counted = 0
        self.complete = False

    def add(self, part: bytes | memoryview, *, end: bool) -> None:
        """The next bytes of the body."""
        self._held += part
        self.counted += len(part)
        self.complete = end
        if end:
            self._json_asked = False  # what was asked too early is asked anew, of all of it

    def count(self, size: int) -> None:
        """As many more passed by, which nobody holds."""
        self.counted += size

    def take(self) -> bytearray:
        """What came, which is held no longer."""
        held, self._held = self._held, bytearray()
        return held

    def ready(self) -> bool:
        """Whether what was waited for has come, or will not."""
        if self.complete or self.too_large():
            return True
        return not self._json_asked and self.counted >= self._count_to

    def too_large(self) -> bool:
        """A rule asks for a field of a body that is over the limit."""
        return self._json_asked and max(self.counted, self._written) > self._limit

    def passed_mark(self) -> bool:
        """Whether the count has passed what a rule asked for in vain; True once for each."""
        if self.counted < self._mark:
            return False
        self._mark = _NEVER
        return True

    def at_hand(self) -> bool:
        return False

    def waits(self) -> bool:
        return self._json_asked or (not self.complete and self.counted < self._count_to)

    def body_json(self, path: str) -> str | None:
        if not self._looked_into:
            return None
        if not self.complete or self.counted > self._limit:
            self._json_asked = True
            return None
        if not self._read:
            self._read = True
            with contextlib.suppress(ValueError):
                self._document = parsed(self._held)
        return found(self._document, path)

    def body_size(self, enough: int, *, end: bool) -> int:
        if self.complete or self.counted >= enough:
            return self.counted
        if end or enough <= self._limit:
            self._count_to = max(self._count_to, min(enough, self._limit + 1))
        self._mark = min(self._mark, enough)
        return UNKNOWN_SIZE

    def metadata(self, namespace: str, path: str) -> list[str]:
        return self._said.metadata(namespace, path)

    def has_metadata(self, namespace: str, path: str) -> bool:
        return self._said.has_metadata(namespace, path)


class Given(Attached):
    """What a caller hands over: the body, fields of it, its size, what is known besides."""

    def __init__(
        self,
        headers: Headers,
        body: bytes,
        fields: Mapping[str, Value],
        size: int,
        namespaces: Mapping[str, Struct],
        limit: int,
    ) -> None:
        """`size` counts where there is no body; UNKNOWN_SIZE for none. A body of more than `limit` bytes is
        not looked into: then `waits` says that a rule would have."""
        self._headers: Final = headers
        self._body: Final = body
        self._fields: Final = fields
        self._size: Final = len(body) if body else size
        self._namespaces: Final = namespaces
        self._too_large: Final = len(body) > limit
        self._asked = False
        self._document: Document | None = None
        self._read = False

    def at_hand(self) -> bool:
        return not self._body

    def waits(self) -> bool:
        return self._too_large and self._asked

    def body_json(self, path: str) -> str | None:
        if path in self._fields:
            return _canonical(self._fields[path])
        if not self._body or not looked_into(self._headers):
            return None
        self._asked = True
        if not self._read and not self._too_large:
            self._read = True
            with contextlib.suppress(ValueError):
                self._document = parsed(self._body)
        return found(self._document, path)

    def body_size(self, enough: int, *, end: bool) -> int:
        del enough, end  # it is all there
        return self._size

    def metadata(self, namespace: str, path: str) -> list[str]:
        struct = self._namespaces.get(namespace)
        return _NOTHING if struct is None else told(struct.fields, path)

    def has_metadata(self, namespace: str, path: str) -> bool:
        struct = self._namespaces.get(namespace)
        return struct is not None and _at(struct.fields, path) is not None


def _written_size(headers: Headers) -> int:
    written = (headers.first("content-length") or "").strip()
    if not (written.isascii() and written.isdigit()):
        return 0
    return int(written) if len(written) <= _MOST_DIGITS else _NEVER
