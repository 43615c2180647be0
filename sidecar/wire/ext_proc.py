"""One ext_proc stream as a state machine: bytes in, bytes out, for one HTTP request.

Each message of Envoy is answered with the answer of its own phase, asked for or not: an answer of another
phase, or none, would fail the request. Only the request's headers bring a decision. Bodies and trailers go
through untouched: with an empty answer where Envoy keeps the bytes, and by giving every byte back where it
hands them over (FULL_DUPLEX_STREAMED and GRPC).

In full duplex the answer to the headers may wait until the rules know what they ask of the body. What came so
far is held meanwhile; the time limit is that of Envoy's route for such requests (`xds.bodies`).
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, Final, Protocol

from envoy.extensions.filters.http.ext_proc.v3 import processing_mode_pb2
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from google.protobuf.message import DecodeError

from sidecar import names
from sidecar.core.decision import Answer, Decision
from sidecar.core.outcome import Outcome
from sidecar.core.plan import Route
from sidecar.core.refusal import Reason, Refusal
from sidecar.core.request import Headers, Request
from sidecar.wire.answers import Answers
from sidecar.wire.body import Arriving, Said
from sidecar.wire.copy import Copy
from sidecar.wire.reader import request_body, request_of_headers
from sidecar.wire.request import headers_of_map, usual_request
from sidecar.wire.response import response_of

LARGEST_CHUNK: Final = 62_000
"""Bytes of body in one message; Envoy refuses streamed chunks of 64 KiB and more."""

_FULL_DUPLEX: Final = processing_mode_pb2.ProcessingMode.FULL_DUPLEX_STREAMED
_STREAMED: Final = processing_mode_pb2.ProcessingMode.STREAMED
_RESPONSE: Final = ("response_headers", "response_body", "response_trailers")
_HANDED_OVER: Final = (_FULL_DUPLEX, processing_mode_pb2.ProcessingMode.GRPC)
TOO_LARGE: Final = Refusal(Reason.TOO_LARGE)


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
_WITHOUT_LOAD: Final = _empty(
    response_headers=ext_proc.HeadersResponse(
        response=ext_proc.CommonResponse(
            header_mutation=ext_proc.HeaderMutation(remove_headers=names.LOAD_HEADERS)
        )
    )
)


class Undecodable(Exception):
    """The message is no ProcessingRequest."""


class Router(Protocol):
    """What a stream asks. No call raises."""

    @property
    def body_limit(self) -> int:
        """Bytes of a body that rules may look into."""

    def answer(self, request: Request, encode: Callable[[Answer], bytes]) -> bytes:
        """The encoded answer to a request."""

    def attempt(self, request: Request, encode: Callable[[Answer], bytes]) -> bytes | None:
        """As `answer`. None, without any effect, when a rule waits for more of the request."""

    def refuse(self, refusal: Refusal, encode: Callable[[Answer], bytes]) -> bytes:
        """The encoded refusal of a request that no rule is asked about."""

    def refusal(self, request: Request, encode: Callable[[Answer], bytes]) -> bytes | None:
        """What the gates say to a request that was let in, by what is known of it now."""

    def wants(self, route: str, question: str) -> bool:
        """Whether a copy of what is answered to this is worth taking."""

    def keep(self, route: str, question: str, headers: Headers, body: bytes) -> None:
        """The whole answer, for when nobody is left."""

    def responded(self, ticket_id: int, outcome: Outcome, load: str = "") -> None:
        """The response of a decided request begins now; `load` is what the endpoint said of itself."""

    def left(self, ticket_id: int) -> None:
        """The stream of a decided request ended before there was a response."""


class ExtProcStream:
    """The phases of one HTTP request. `finished` says that the peer should be told no more."""

    def __init__(self, router: Router, answers: Answers, *, feedback: bool, tokens_header: str = "") -> None:
        """With `feedback`, the response's headers settle the ticket; one of them may tell tokens."""
        self._router: Final = router
        self._answers: Final = answers
        self._feedback: Final = feedback
        self._tokens_header: Final = tokens_header
        self._ticket_id = 0
        self._decided = False
        self._request_mode = 0
        self._response_mode = 0
        self._waiting: _Waiting | None = None
        self._owed = False
        self._refused = False
        self._keeping_route: Route | None = None
        self._for_some = False
        self._copy: Copy | None = None
        self.finished = False

    @property
    def owes(self) -> bool:
        """Whether an end of the stream now would cut off a body that Envoy has handed over."""
        return self._owed and not self.finished

    def receive(self, data: bytes) -> Iterable[bytes]:
        """The answers to one message, in order; all of them are to be sent before the next is received.

        Undecodable when it is no ProcessingRequest.
        """
        if not self._decided and self._waiting is None:
            request = usual_request(data)
            if request is not None:
                self._decided = True
                return (self._router.answer(request, self._encode),)
        if self._request_mode == _FULL_DUPLEX:
            part = request_body(data)
            if part is not None:
                begin, end, last = part
                return self._body(memoryview(data)[begin:end], last=last)
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
            if self._decided or self._waiting is not None:
                return (_GO_ON[phase],)
            return self._begun(message)
        if phase == "request_body" and self._request_mode in _HANDED_OVER:
            body = message.request_body
            if self._request_mode == _FULL_DUPLEX:
                return self._body(memoryview(body.body), last=body.end_of_stream)
            self._owed = not (body.end_of_stream or body.end_of_stream_without_message)
            return (_given_back(body, "request_body"),)
        if phase == "response_body" and self._response_mode in _HANDED_OVER:
            body = message.response_body
            if self._response_mode == _FULL_DUPLEX:
                return _chunks(memoryview(body.body), "response_body", last=body.end_of_stream)
            return (_given_back(body, "response_body"),)
        if phase is None:  # a phase that is not known yet: only ending the stream lets the request go on
            self.finished = True
            return ()
        if phase == "request_trailers":
            return self._trailers()
        if self._keeping_route is not None and phase in _RESPONSE:
            if self._copy is not None:
                self._copied(phase, message, self._keeping_route.name, self._copy)
            self._unless_wanted()
        if phase == "response_headers" and self._feedback and self._ticket_id:
            outcome, load = response_of(message, self._tokens_header)
            self._router.responded(self._ticket_id, outcome, load)
            self._ticket_id = 0
            if load:
                return (_WITHOUT_LOAD,)
        return (_GO_ON[phase],)

    def closed(self) -> None:
        """The stream is over, by whoever ended it. With `feedback`, what has no response then gets none: the
        client went away, and its ticket need not wait for the end of its lease."""
        if self._copy is not None:
            self._copy.close()
            self._copy = None
        if self._feedback and self._ticket_id:
            self._router.left(self._ticket_id)
            self._ticket_id = 0

    def _begun(self, message: Any) -> Iterable[bytes]:
        head = message.request_headers
        headers = headers_of_map(head.headers)
        metadata = message.metadata_context.SerializeToString()
        if self._request_mode == _FULL_DUPLEX and not head.end_of_stream and not _never_waits(headers):
            self._owed = True
            waiting = self._waiting = _Waiting(headers, metadata, self._router.body_limit)
            return self._weighed(waiting)
        self._decided = True
        self._owed = self._request_mode in _HANDED_OVER and not head.end_of_stream
        request = request_of_headers(headers, Said(headers, metadata), ends=head.end_of_stream)
        answer = self._router.answer(request, self._encode)
        if self._keeping_route is not None and self._response_mode == _STREAMED:
            self._copy = self._copy_of_answer(request, self._keeping_route)
            if not self._feedback:
                self._unless_wanted()
        return (answer,)

    def _copy_of_answer(self, request: Request, route: Route) -> Copy | None:
        """Where it is worth one."""
        if route.keeping is None or request.method != "GET" or not request.ends or self._for_some:
            return None
        question = route.keeping.question(request)
        return Copy(route.keeping, question) if self._router.wants(route.name, question) else None

    def _copied(self, phase: str, message: Any, route: str, copy: Copy) -> None:
        """The next part of the response. Envoy keeps the bytes: it waits for an answer, and no longer."""
        if phase == "response_headers":
            head = message.response_headers
            copy.begin(headers_of_map(head.headers), end=head.end_of_stream)
        elif phase == "response_body":
            copy.add(message.response_body.body, end=message.response_body.end_of_stream)
        if copy.complete:
            self._router.keep(route, copy.question, copy.headers, copy.body())
        if copy.over:
            copy.close()
            self._copy = None

    def _unless_wanted(self) -> None:
        """Without a copy nothing more of the response is wanted. Without the stream Envoy goes on alone."""
        if self._copy is None and self._response_mode == _STREAMED and not self._owed:
            self.finished = True

    def _body(self, part: memoryview, *, last: bool) -> Iterable[bytes]:
        """The next part of a body in full duplex."""
        self._owed = not last
        waiting = self._waiting
        if waiting is None:
            return _chunks(part, "request_body", last=last)
        arriving = waiting.arriving
        if not self._decided:
            arriving.add(part, end=last)
            return self._weighed(waiting) if arriving.ready() else ()
        arriving.count(len(part))
        if arriving.passed_mark():
            refused = self._router.refusal(waiting.request(), self._encode)
            if refused is not None:
                self._over()
                return (refused,)
        self.finished = last and not self._feedback
        return _chunks(part, "request_body", last=last)

    def _trailers(self) -> Iterable[bytes]:
        self._owed = False
        waiting = self._waiting
        if waiting is None:
            return (_GO_ON["request_trailers"],)
        if self._decided:
            self.finished = not self._feedback
            return (_GO_ON["request_trailers"],)
        waiting.arriving.add(b"", end=True)
        return self._weighed(waiting, trailers=True)

    def _weighed(self, waiting: "_Waiting", *, trailers: bool = False) -> Iterable[bytes]:
        """The decision and what was held for it; nothing yet while a rule waits."""
        arriving = waiting.arriving
        self._refused = False
        answer = self._router.attempt(waiting.request(), self._encode)
        if answer is None and arriving.too_large():
            answer = self._router.refuse(TOO_LARGE, self._encode)
        if answer is None:
            return ()
        self._decided = True
        if self._refused:  # and Envoy drops the body itself
            self._over()
            return (answer,)
        self.finished = arriving.complete and not self._feedback
        return _released(answer, arriving, trailers=trailers)

    def _over(self) -> None:
        self._owed = False
        self.finished = True

    def _encode(self, answer: Answer) -> bytes:
        if not isinstance(answer, Decision):
            self._refused = True
        elif answer.ticket is not None:
            self._ticket_id = answer.ticket.id
            if answer.route.keeping is not None:
                self._keeping_route = answer.route
                self._for_some = _for_some(answer)
        return self._answers.encode(answer)


def _for_some(decision: Decision) -> bool:
    """Whether the request asks more than just any endpoint: what it gets is not for those who do not."""
    return decision.turn is not None and bool(decision.turn.sieves)


class _Waiting:
    """A request whose body is looked into."""

    def __init__(self, headers: Headers, metadata: bytes, limit: int) -> None:
        self._headers: Final = headers
        self.arriving: Final = Arriving(headers, metadata, limit)

    def request(self) -> Request:
        """With nothing remembered of what rules found before more of it came."""
        return request_of_headers(self._headers, self.arriving)


def _never_waits(headers: Headers) -> bool:
    """A client that wants another protocol sends nothing before it is answered, and the body of a gRPC call
    may go on for as long as its response."""
    return (
        headers.first("upgrade") is not None
        or headers.first(":method") == "CONNECT"
        or (headers.first("content-type") or "").startswith("application/grpc")
    )


def _released(answer: bytes, arriving: Arriving, *, trailers: bool) -> Iterator[bytes]:
    """The answer to the headers, then all that came meanwhile."""
    yield answer
    held = arriving.take()
    last = arriving.complete and not trailers
    if held or last:
        yield from _chunks(memoryview(held), "request_body", last=last)
    if trailers:
        yield _GO_ON["request_trailers"]


def _chunks(part: memoryview, phase: str, *, last: bool) -> Iterable[bytes]:
    """Every byte, in messages that Envoy accepts; the end of the stream in the last one only."""
    size = len(part)
    if size <= LARGEST_CHUNK:  # nearly always
        return (_chunk(phase, part, last=last),)
    return _many_chunks(part, phase, last=last)


def _many_chunks(part: memoryview, phase: str, *, last: bool) -> Iterator[bytes]:
    size = len(part)
    for start in range(0, size, LARGEST_CHUNK):
        end = start + LARGEST_CHUNK
        yield _chunk(phase, part[start:end], last=last and end >= size)


def _chunk(phase: str, part: memoryview, *, last: bool) -> bytes:
    # Few calls of the library: a client may send its body a byte at a time, and each chunk is five messages.
    if not part or last:
        return _by_library(phase, bytes(part), last=last)
    return _beginning(phase, len(part)) + part


@lru_cache(maxsize=1024)
def _beginning(phase: str, size: int) -> bytes:
    """Of a message with a chunk of so many bytes, which end it."""
    return _by_library(phase, b"x" * size, last=False)[:-size]


def _by_library(phase: str, part: bytes, *, last: bool) -> bytes:
    response = ext_proc.ProcessingResponse()
    chunk = getattr(response, phase).response.body_mutation.streamed_response
    chunk.body = part
    chunk.end_of_stream = last
    encoded: bytes = response.SerializeToString()
    return encoded


def _given_back(body: Any, phase: str) -> bytes:
    """In the mode GRPC each body is one message of gRPC; cut in two it would be two."""
    response = ext_proc.ProcessingResponse()
    chunk = getattr(response, phase).response.body_mutation.streamed_response
    chunk.body = body.body
    chunk.end_of_stream = body.end_of_stream
    chunk.end_of_stream_without_message = body.end_of_stream_without_message
    chunk.grpc_message_compressed = body.grpc_message_compressed
    encoded: bytes = response.SerializeToString()
    return encoded
