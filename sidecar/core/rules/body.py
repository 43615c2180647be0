"""Conditions on a JSON body, and facts that it or the metadata of Envoy's filters carry.

Values are compared by a text that says their type too, so that `1`, `"1"` and `true` differ while `1` and
`1.0` are one number. Numbers are doubles, as Envoy passes them on: then its answer and ours are the same.
"""

from typing import Final, final

from sidecar.core.request import Headers, Request
from sidecar.core.rules.base import Field, Matcher, Pin, quoted

LONGEST_TEXT: Final = 8192
"""Bytes of a text in a body; Envoy passes no longer one on."""
_WHOLE: Final = 1e15  # below it every whole number is written as one
_LARGEST: Final = 1.7976931348623157e308
_NOTHING: Final[list[str]] = []
_TOKEN: Final = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")


def canonical(value: object) -> str | None:
    """A text that is equal for equal values of one type: `"high"`, `1`, `true`, `null`. None for mappings and
    lists, for text that is too long, and for what no JSON can say."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # Not escaped: the first character tells text from the rest, and the last is no part of it.
        return f'"{value}"' if len(value) <= LONGEST_TEXT and _fits(value) else None
    if isinstance(value, int):
        try:
            return _number(float(value))
        except OverflowError:
            return None
    if isinstance(value, float):
        return _number(value)
    return None


def plain(canonical_text: str | None) -> str | None:
    """The text without what tells its type; None for null."""
    if canonical_text is None or canonical_text == "null":
        return None
    return canonical_text[1:-1] if canonical_text.startswith('"') else canonical_text


def _number(value: float) -> str | None:
    if not -_LARGEST <= value <= _LARGEST:  # NaN fails this as well
        return None
    return str(int(value)) if -_WHOLE < value < _WHOLE and value == int(value) else repr(value)


def _fits(text: str) -> bool:
    return len(text) * 4 <= LONGEST_TEXT or len(text.encode("utf-8", "surrogatepass")) <= LONGEST_TEXT


def looked_into(headers: Headers) -> bool:
    """Whether a body behind this head is looked into: JSON that is not compressed, and no upgrade."""
    return (
        _is_json(",".join(headers.values("content-type")))
        and not _is_compressed(headers)
        and headers.first("upgrade") is None
    )


def _is_json(content_type: str) -> bool:
    """`application/json`, `text/json` or `*/*+json`, whatever the parameters. Envoy is given the same as a
    regular expression (`xds.bodies`)."""
    if not content_type.isascii():
        return False
    kind = content_type.partition(";")[0].strip(" \t").lower()
    if kind in {"application/json", "text/json"}:
        return True
    if not kind.endswith("+json"):
        return False
    category, slash, name = kind[:-5].partition("/")
    return bool(slash and category and name and _TOKEN.issuperset(category) and _TOKEN.issuperset(name))


def _is_compressed(headers: Headers) -> bool:
    coding = ",".join(headers.values("content-encoding")).strip(" \t").lower()
    return coding not in {"", "identity"}


@final
class BodyField(Field):
    """The value at a dotted path of the JSON body, in its canonical form."""

    def __init__(self, path: str) -> None:
        self.path: Final = path

    def read(self, request: Request) -> list[str]:
        attached = request.attached
        value = None if attached is None or request.ends else attached.body_json(self.path)
        return _NOTHING if value is None else [value]

    def name(self) -> str:
        return f"body {self.path}"


@final
class BodyText(Field):
    """As `BodyField`, but as plain text, for facts: a model is a model whatever the quotes around it."""

    def __init__(self, path: str) -> None:
        self.path: Final = path

    def read(self, request: Request) -> list[str]:
        attached = request.attached
        if attached is None or request.ends:
            return _NOTHING
        value = plain(attached.body_json(self.path))
        return _NOTHING if value is None else [value]

    def name(self) -> str:
        return f"body text {self.path}"


@final
class MetadataField(Field):
    """What a filter of Envoy has said of the request, such as the claims of a token that it verified."""

    def __init__(self, namespace: str, path: str, called: str = "") -> None:
        self._namespace: Final = namespace
        self._path: Final = path
        self._name: Final = called or f"metadata {namespace} {path}"

    def read(self, request: Request) -> list[str]:
        attached = request.attached
        return _NOTHING if attached is None else attached.metadata(self._namespace, self._path)

    def name(self) -> str:
        return self._name


@final
class BodyIs(Matcher):
    """The value at the path is one of these, which are in their canonical form."""

    def __init__(self, field: BodyField, values: tuple[str, ...]) -> None:
        if not values:
            raise ValueError("needs at least one value")
        self._field: Final = field
        self._values: Final = values

    def matches(self, request: Request) -> bool:
        return self._field.any_of(request, self._values)

    def text(self) -> str:
        return f"{self._field.name()} is {' or '.join(_shown(value) for value in self._values)}"

    def seen(self, request: Request) -> str:
        values = self._field.read(request)
        return _shown(values[0]) if values else "absent"

    def pin(self) -> Pin | None:
        return Pin(self._field, self._values)

    def reads(self) -> tuple[Field, ...] | None:
        return (self._field,)


def _shown(value: str) -> str:
    return quoted(value[1:-1]) if value.startswith('"') else value
