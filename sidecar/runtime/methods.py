"""What a service is to a shell: methods that take and give bytes.

Services know nothing of grpc, so that more than one transport can host the same objects.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

MOST_BYTES: Final = 4 * 1024 * 1024
"""Of one message that is received; gRPC's own default."""


class Code(Enum):
    """gRPC status codes that services and shells answer with."""

    OK = 0
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14


class Failed(Exception):
    """Ends the call with this status instead of an answer."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Conversation(Protocol):
    """One call whose client sends a stream of messages."""

    finished: bool
    """Set when the service has nothing more to say: the shell ends the call with OK."""

    def receive(self, data: bytes) -> Iterable[bytes]:
        """The answers to one message, to be sent before the next is received. May raise Failed."""

    def half_closed(self) -> Sequence[bytes]:
        """The last answers, once the client has sent all it will, or a shutdown waits no longer. May raise
        Failed."""

    def closed(self) -> None:
        """The call is over, whatever way; called exactly once."""


@dataclass(frozen=True)
class Unary:
    """One message in, one out. The handler may raise Failed."""

    handler: Callable[[bytes], bytes]


@dataclass(frozen=True)
class Watch:
    """One message in, a stream out until the caller leaves or the service does. May raise Failed."""

    handler: Callable[[bytes], AsyncIterator[bytes]]


@dataclass(frozen=True)
class Bidirectional:
    """A stream in, a stream out.

    `single` answers a stream of which the peer announced, with the metadata `announced_by`, that it has one
    message: a transport can do that with less work. It may raise Failed. A shutdown waits for the calls that
    are `awaited` to end by themselves.
    """

    open: Callable[[], Conversation]
    awaited: bool = True
    single: Callable[[bytes], bytes] | None = None
    announced_by: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class ClientStream:
    """A stream in, one message out when it ends."""

    open: Callable[[], Conversation]


Method = Unary | Watch | Bidirectional | ClientStream
Methods = Mapping[str, Method]
"""By full name: `/package.Service/Method`."""
