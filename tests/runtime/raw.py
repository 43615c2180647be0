"""A client that speaks HTTP/2 as no gRPC library would: any headers, any bytes, and no reading.

What a peer may send is more than gRPC clients ever do. Nothing here is checked on the way out, and every
wait has a limit.
"""

import select
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingAckReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError, StreamClosedError
from h2.settings import SettingCodes, Settings
from hpack import HeaderTuple, NeverIndexedHeaderTuple

from tests.waiting import SOON_S

STATUSES_OF_HTTP: Final = {
    400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 431: 13, 502: 14, 503: 14, 504: 14,
}  # fmt: skip
"""https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md; all others are UNKNOWN."""
STATUSES_OF_RESETS: Final[Mapping[int, int]] = {
    ErrorCodes.REFUSED_STREAM: 14,
    ErrorCodes.CANCEL: 1,
    ErrorCodes.ENHANCE_YOUR_CALM: 8,
    ErrorCodes.INADEQUATE_SECURITY: 7,
}
"""https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#errors; all others are INTERNAL."""

Fields = Mapping[str, str | None]
"""Request headers that replace the usual ones or come after them; None leaves one out."""


def framed(data: bytes, flag: int = 0, length: int | None = None) -> bytes:
    """A length-prefixed message; with a `length` that may be a lie."""
    return bytes((flag,)) + (len(data) if length is None else length).to_bytes(4) + data


def request(path: str, fields: Fields | None = None) -> list[HeaderTuple | tuple[str, str]]:
    """The headers of a gRPC call, changed by `fields`.

    Those of `fields` stay out of HPACK's table: gRPC refuses every later header that refers to the name of
    one that it refused, which is another question than whether the connection survives.
    """
    usual: dict[str, str | None] = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "sidecar",
        "te": "trailers",
        "content-type": "application/grpc",
    }
    changed = dict(fields or {})
    return [
        NeverIndexedHeaderTuple(name, value) if name in changed else (name, value)
        for name, value in (usual | changed).items()
        if value is not None
    ]


@dataclass
class Stream:
    """What has come on one stream so far."""

    id: int
    headers: dict[str, str] = field(default_factory=dict)
    data: bytearray = field(default_factory=bytearray)
    trailers: dict[str, str] = field(default_factory=dict)
    ended: bool = False
    reset: int | None = None

    @property
    def over(self) -> bool:
        return self.ended or self.reset is not None

    @property
    def messages(self) -> list[bytes]:
        """Those that have come whole."""
        found, at = [], 0
        while at + 5 <= len(self.data):
            end = at + 5 + int.from_bytes(self.data[at + 1 : at + 5])
            if end > len(self.data):
                break
            found.append(bytes(self.data[at + 5 : end]))
            at = end
        return found

    @property
    def trailers_only(self) -> bool:
        return self.ended and "grpc-status" in self.headers

    def told(self, name: str) -> str | None:
        """`grpc-status` or another field of the end, wherever it came."""
        return self.trailers.get(name, self.headers.get(name))


class Connection:
    """One connection, HTTP/2 from its first byte.

    With `window` 0 the peer may send no DATA at all, on any stream. With `reads` off nothing is taken from
    the socket either, so that what the peer sends fills its own buffers.
    """

    def __init__(self, address: str, *, window: int = 65_535) -> None:
        host, _, port = address.rpartition(":")
        self._socket: Final = socket.create_connection((host, int(port)), timeout=SOON_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._h2: Final = H2Connection(
            H2Configuration(
                header_encoding="latin-1",
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
                validate_inbound_headers=False,
            )
        )
        self._h2.local_settings = Settings(
            client=True, initial_values={SettingCodes.INITIAL_WINDOW_SIZE: window}
        )
        self._window: Final = window
        self._outgoing: Final = bytearray()
        self._pongs = 0
        self.reads = True
        self.streams: Final[dict[int, Stream]] = {}
        self.goaway: int | None = None
        self.closed = False
        self._h2.initiate_connection()
        self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    @property
    def gone(self) -> bool:
        """Whether it takes no more streams."""
        return self.closed or self.goaway is not None

    def open(self, path: str, fields: Fields | None = None, *, end: bool = False) -> Stream:
        stream = Stream(self._h2.get_next_available_stream_id())
        self.streams[stream.id] = stream
        self._h2.send_headers(stream.id, request(path, fields), end_stream=end)
        self._flush()
        return stream

    def send(self, stream: Stream, data: bytes, *, end: bool = False, within_s: float = SOON_S) -> int:
        """Send the bytes as far as the peer's windows allow; returns how many, fewer when the time is over
        or the stream is."""
        deadline = time.monotonic() + within_s
        at = 0
        while not (stream.over or self.gone):
            if end and at == len(data):
                self._h2.end_stream(stream.id)
                self._flush()
            if at == len(data):
                break
            room = min(
                self._h2.local_flow_control_window(stream.id),
                self._h2.max_outbound_frame_size,
                0 if len(self._outgoing) > 1 << 20 else 1 << 20,
            )
            piece = data[at : at + room]
            if piece:
                self._h2.send_data(stream.id, piece)
                at += len(piece)
                self._flush()
            elif time.monotonic() > deadline:
                break
            self._turn(0.0 if piece else deadline - time.monotonic())
        return at

    def reset(self, stream: Stream, code: int = ErrorCodes.CANCEL) -> None:
        try:
            self._h2.reset_stream(stream.id, code)
        except (StreamClosedError, ProtocolError):  # the peer was first
            return
        self._flush()

    def wait(self, condition: Callable[[], object], what: str, within_s: float = SOON_S) -> None:
        """Return once the condition holds or the connection is closed; TimeoutError otherwise."""
        deadline = time.monotonic() + within_s
        while not (condition() or self.closed):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise TimeoutError(f"{what}: not within {within_s:g} s")
            self._turn(left_s)

    def wait_over(self, stream: Stream, within_s: float = SOON_S) -> None:
        self.wait(lambda: stream.over, f"the end of stream {stream.id}", within_s)

    def ping(self, within_s: float = SOON_S) -> None:
        """Return once the peer has read all that was sent before, and what it sent before has come."""
        wanted = self._pongs + 1
        if not self.gone:
            self._h2.ping(b"sidecar?")
            self._flush()
            self.wait(lambda: self._pongs >= wanted or self.goaway is not None, "a ping's answer", within_s)

    def _flush(self) -> None:
        self._outgoing.extend(self._h2.data_to_send())
        self._write()

    def _write(self) -> None:
        while self._outgoing and not self.closed:
            try:
                sent = self._socket.send(self._outgoing)
            except BlockingIOError:
                return
            except OSError:  # reading still gives what the peer said last
                self._outgoing.clear()
                return
            del self._outgoing[:sent]

    def _turn(self, within_s: float) -> None:
        """Wait until the socket can be read or written, at most this long, and do so."""
        reading = [self._socket] if self.reads else []
        writing = [self._socket] if self._outgoing else []
        readable, _, _ = select.select(reading, writing, [], max(within_s, 0.0))
        self._write()
        if not readable:
            return
        try:
            data = self._socket.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return
        try:
            events = self._h2.receive_data(data)
        except ProtocolError:
            if self.goaway is None:  # h2 takes nothing more after a GOAWAY; there is nothing to learn from it
                raise
            return
        for event in events:
            self._take(event)
        self._flush()

    def _take(self, event: Event) -> None:
        match event:
            case ResponseReceived():
                self.streams[event.stream_id].headers.update(_texts(event.headers))
            case TrailersReceived():
                self.streams[event.stream_id].trailers.update(_texts(event.headers))
            case DataReceived():
                self.streams[event.stream_id].data.extend(event.data)
                if self._window and event.flow_controlled_length:
                    self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case StreamEnded():
                self.streams[event.stream_id].ended = True
            case StreamReset():
                self.streams[event.stream_id].reset = int(event.error_code)
            case ConnectionTerminated():
                self.goaway = int(event.error_code or 0)
            case PingAckReceived():
                self._pongs += 1
            case _:
                pass


def _texts(headers: object) -> dict[str, str]:
    assert isinstance(headers, list)
    return {str(name): str(value) for name, value in headers}


def status(stream: Stream) -> int:
    """What a gRPC client would report of a stream that is over, or whose connection is."""
    told = stream.told("grpc-status")
    if told is not None:
        return int(told)
    if stream.ended:
        return STATUSES_OF_HTTP.get(int(stream.headers[":status"]), 2)
    if stream.reset is not None:
        return STATUSES_OF_RESETS.get(stream.reset, 13)
    return 14


def spoken(address: str, data: bytes, within_s: float = SOON_S) -> tuple[bytes, bool]:
    """What comes back when these bytes are sent, until the peer closes or the time is over; and whether it
    closed."""
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + within_s
    answer = bytearray()
    with socket.create_connection((host, int(port)), timeout=within_s) as peer:
        peer.sendall(data)
        while (left_s := deadline - time.monotonic()) > 0:
            peer.settimeout(left_s)
            try:
                piece = peer.recv(1 << 16)
            except TimeoutError:
                break
            except ConnectionResetError:
                return bytes(answer), True
            if not piece:
                return bytes(answer), True
            answer += piece
    return bytes(answer), False
