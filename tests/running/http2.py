"""One request to Envoy over HTTP/2, which may end with trailers."""

import socket
from collections.abc import Iterable, Sequence

import h2.config
import h2.connection
import h2.events

from tests.running.asking import ASK_WITHIN_S, Pairs, Reply

Http2Reply = Reply


def ask_http2(
    port: int, path: str, headers: Pairs, parts: Sequence[bytes], trailers: Pairs = ()
) -> Http2Reply:
    """A POST without a content-length."""
    with socket.create_connection(("127.0.0.1", port), timeout=ASK_WITHIN_S) as client:
        return _Exchange(client).post(path, list(headers), parts, list(trailers))


class _Exchange:
    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self._connection.initiate_connection()
        self._headers: list[tuple[str, str]] = []
        self._body = b""
        self._ended = False

    def post(
        self,
        path: str,
        headers: list[tuple[str, str | bytes]],
        parts: Iterable[bytes],
        trailers: list[tuple[str, str | bytes]],
    ) -> Http2Reply:
        connection = self._connection
        stream = connection.get_next_available_stream_id()
        pseudo = [(":method", "POST"), (":path", path), (":scheme", "http"), (":authority", "a.test")]
        connection.send_headers(stream, [*pseudo, *headers])
        for part in parts:
            self._send(stream, part)
        if trailers:
            connection.send_headers(stream, trailers, end_stream=True)
        else:
            connection.end_stream(stream)
        while not self._ended:
            self._receive()
        status = dict(self._headers)[":status"]
        return Reply(int(status), self._headers, self._body)

    def _send(self, stream: int, part: bytes) -> None:
        while part and not self._ended:
            room = min(
                self._connection.local_flow_control_window(stream), self._connection.max_outbound_frame_size
            )
            if room == 0:
                self._receive()
                continue
            self._connection.send_data(stream, part[:room])
            part = part[room:]
            self._client.sendall(self._connection.data_to_send())

    def _receive(self) -> None:
        self._client.sendall(self._connection.data_to_send())
        data = self._client.recv(65536)
        if not data:
            raise ConnectionError("closed before the answer was whole")
        for event in self._connection.receive_data(data):
            match event:
                case h2.events.ResponseReceived():
                    self._headers = [(name.decode(), value.decode()) for name, value in event.headers or ()]
                case h2.events.DataReceived():
                    self._body += event.data or b""
                    self._connection.acknowledge_received_data(
                        event.flow_controlled_length or 0, event.stream_id or 0
                    )
                case h2.events.StreamEnded() | h2.events.StreamReset():
                    self._ended = True
        self._client.sendall(self._connection.data_to_send())
