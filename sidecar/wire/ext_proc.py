"""One ext_proc stream as a state machine: bytes in, bytes out, for one HTTP request.

Each message of Envoy is answered with the answer of its own phase, asked for or not: an answer of another
phase, or none, would fail the request. Only the request's headers bring a decision. Bodies and trailers go
through untouched: with an empty answer where Envoy keeps the bytes, and by giving every byte back where it
hands them over (FULL_DUPLEX_STREAMED and GRPC).
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from envoy.extensions.filters.http.ext_proc.v3 import processing_mode_pb2
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from google.protobuf.message import DecodeError

from sidecar.core.decision import Decision, Refusal
from sidecar.core.request import Request
from sidecar.wire import reader
from sidecar.wire.answers import Answers
from sidecar.wire.request import request_of_header_map

LARGEST_CHUNK: Final = 62_000
"""Bytes of body in one message; Envoy refuses streamed chunks of 64 KiB and more."""

_FULL_DUPLEX: Final = processing_mode_pb2.ProcessingMode.FULL_DUPLEX_STREAMED
_HANDED_OVER: Final = (_FULL_DUPLEX, processing_mode_pb2.ProcessingMode.GRPC)


def _empty(**phase: Any) -> bytes:
    encoded: bytes = ext_proc.ProcessingResponse(**phase).SerializeToString()
    return encoded


_GO_ON: Final[dict[str, bytes]] = {
    "request_headers": _empty(request_headers=ext_proc.HeadersResponse()),
    "response_headers": _empty(response_headers=ext_proc.HeadersResponse()),
    "request_body": _empty(request_body=ext_proc.BodyResponse()),
    "response_body": _empty(response_body=ext_proc.BodyResponse()),
    "request_trailers": _empty(request_trailers=ext_proc.TrailersResponse()),
    "response_trailers": _empty(response_trailers=ext_proc.TrailersResponse()),
}


class Undecodable(Exception):
    """The message is no ProcessingRequest."""


class Router(Protocol):
    """What a stream asks. Neither call raises."""

    def answer(self, request: Request, encode: Callable[[Decision | Refusal], bytes]) -> bytes:
        """The encoded answer to a request."""

    def responded(self, ticket_id: int, status: int) -> None:
        """The response phase of a decided request came."""


class ExtProcStream:
    """The phases of one HTTP request. `finished` says that the peer should be told no more."""

    def __init__(self, router: Router, answers: Answers, *, feedback: bool) -> None:
        """With `feedback`, the response's headers settle the ticket."""
        self._router: Final = router
        self._answers: Final = answers
        self._feedback: Final = feedback
        self._ticket_id = 0
        self._decided = False
        self._request_mode = 0
        self._response_mode = 0
        self.finished = False

    def receive(self, data: bytes) -> Sequence[bytes]:
        """The answers to one message, in order. Undecodable when it is no ProcessingRequest."""
        if not self._decided:
            request = reader.request_headers(data)
            if request is not None:
                self._decided = True
                return (self._router.answer(request, self._encode),)
        try:
            message = ext_proc.ProcessingRequest.FromString(data)
        except DecodeError as error:
            raise Undecodable("not an envoy.service.ext_proc.v3.ProcessingRequest") from error
        phase = message.WhichOneof("request")
        if message.observability_mode:
            return ()
        if message.HasField("protocol_config"):  # in the first message only
            self._request_mode = message.protocol_config.request_body_mode
            self._response_mode = message.protocol_config.response_body_mode
        if phase == "request_headers":
            if self._decided:
                return (_GO_ON[phase],)
            self._decided = True
            return (
                self._router.answer(request_of_header_map(message.request_headers.headers), self._encode),
            )
        if phase == "request_body" and self._request_mode in _HANDED_OVER:
            return _given_back(message.request_body, "request_body", self._request_mode)
        if phase == "response_body" and self._response_mode in _HANDED_OVER:
            return _given_back(message.response_body, "response_body", self._response_mode)
        if phase is None:  # a phase that is not known yet: only ending the stream lets the request go on
            self.finished = True
            return ()
        if phase == "response_headers" and self._feedback and self._ticket_id:
            self._router.responded(self._ticket_id, _status(message.response_headers.headers))
            self._ticket_id = 0
        return (_GO_ON[phase],)

    def _encode(self, answer: Decision | Refusal) -> bytes:
        if isinstance(answer, Decision) and answer.ticket is not None:
            self._ticket_id = answer.ticket.id
        return self._answers.encode(answer)


def _given_back(body: Any, phase: str, mode: int) -> Sequence[bytes]:
    """Every byte taken, in chunks that Envoy accepts; the end of the stream in the last one only."""
    data: bytes = body.body
    # In mode GRPC each body is one gRPC message; cut in two it would be two.
    largest = LARGEST_CHUNK if mode == _FULL_DUPLEX else max(len(data), 1)
    starts = range(0, max(len(data), 1), largest)
    replies = []
    for start in starts:
        response = ext_proc.ProcessingResponse()
        chunk = getattr(response, phase).response.body_mutation.streamed_response
        chunk.body = data[start : start + largest]
        if start == starts[-1]:
            chunk.end_of_stream = body.end_of_stream
            chunk.end_of_stream_without_message = body.end_of_stream_without_message
        chunk.grpc_message_compressed = body.grpc_message_compressed
        replies.append(response.SerializeToString())
    return replies


def _status(header_map: Any) -> int:
    for pair in header_map.headers:
        if pair.key == ":status":
            text = pair.raw_value or pair.value.encode()
            return int(text) if text.isdigit() and len(text) == 3 else 0
    return 0
