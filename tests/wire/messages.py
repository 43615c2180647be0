"""ext_proc messages as tests want them, and a stream to give them to."""

from collections.abc import Callable
from typing import Any, Final

from envoy.config.core.v3 import base_pb2
from envoy.extensions.filters.http.ext_proc.v3 import processing_mode_pb2
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc

from sidecar.core.decision import Answer
from sidecar.core.engine import Engine
from sidecar.core.outcome import Outcome
from sidecar.core.plan import Route
from sidecar.core.refusal import Refusal
from sidecar.core.request import Headers, Request
from sidecar.wire.answers import Answers
from sidecar.wire.ext_proc import ExtProcStream
from tests.builders import an_engine

NONE: Final[int] = processing_mode_pb2.ProcessingMode.NONE
STREAMED: Final[int] = processing_mode_pb2.ProcessingMode.STREAMED
BUFFERED: Final[int] = processing_mode_pb2.ProcessingMode.BUFFERED
FULL_DUPLEX: Final[int] = processing_mode_pb2.ProcessingMode.FULL_DUPLEX_STREAMED
GRPC: Final[int] = processing_mode_pb2.ProcessingMode.GRPC

PHASES: Final = (
    "request_headers",
    "request_body",
    "request_trailers",
    "response_headers",
    "response_body",
    "response_trailers",
)
UNKNOWN_PHASE: Final = b"\x82\x7d\x00"
"""A field that no version has: as a phase of a later Envoy would look."""

Pair = tuple[str, str | bytes]


def header_map(*pairs: Pair) -> Any:
    """As Envoy fills it: `raw_value` only."""
    filled = base_pb2.HeaderMap()
    for name, value in pairs:
        filled.headers.add(key=name, raw_value=value.encode() if isinstance(value, str) else value)
    return filled


def request_headers(
    target: str | bytes = "/",
    *pairs: Pair,
    method: str = "GET",
    host: str = "shop.test",
    request_mode: int = NONE,
    response_mode: int = NONE,
    end_of_stream: bool = True,
) -> Any:
    """The first message of a request."""
    message = ext_proc.ProcessingRequest()
    pseudo = ((":method", method), (":scheme", "http"), (":authority", host), (":path", target))
    message.request_headers.headers.CopyFrom(header_map(*pseudo, *pairs))
    message.request_headers.end_of_stream = end_of_stream
    message.protocol_config.request_body_mode = request_mode
    message.protocol_config.response_body_mode = response_mode
    return message


def response_headers(status: str = "200") -> Any:
    message = ext_proc.ProcessingRequest()
    message.response_headers.headers.CopyFrom(header_map((":status", status)))
    return message


def body(data: bytes = b"", *, end: bool = False, phase: str = "request_body") -> Any:
    message = ext_proc.ProcessingRequest()
    getattr(message, phase).body = data
    getattr(message, phase).end_of_stream = end
    return message


def empty(phase: str) -> Any:
    """The phase with nothing in it."""
    message = ext_proc.ProcessingRequest()
    getattr(message, phase).SetInParent()
    return message


class Deciding:
    """What a stream asks: the engine, at time 0."""

    def __init__(self, engine: Engine) -> None:
        self.engine: Final = engine
        self.asked: list[Request] = []
        self.refused: list[Refusal] = []
        self.told: list[tuple[int, int]] = []
        self.ended: list[tuple[Outcome, str]] = []
        self.deserted: list[int] = []

    def answer(self, request: Request, encode: Callable[[Answer], bytes]) -> bytes:
        self.asked.append(request)
        return encode(self.engine.decide(request, 0.0))

    @property
    def body_limit(self) -> int:
        return self.engine.plan.body_limit

    def attempt(self, request: Request, encode: Callable[[Answer], bytes]) -> bytes | None:
        answer = self.engine.attempt(request, 0.0)
        if answer is None:
            return None
        self.asked.append(request)
        return encode(answer)

    def refuse(self, refusal: Refusal, encode: Callable[[Answer], bytes]) -> bytes:
        self.refused.append(refusal)
        return encode(refusal)

    def refusal(self, request: Request, encode: Callable[[Answer], bytes]) -> bytes | None:
        refusal = self.engine.refusal(request)
        return None if refusal is None else self.refuse(refusal, encode)

    def responded(self, ticket_id: int, outcome: Outcome, load: str = "") -> None:
        self.told.append((ticket_id, outcome.status))
        self.ended.append((outcome, load))

    def wants(self, route: str, question: str) -> bool:
        return self.engine.state.last_good.wanted(route, question, 0.0)

    def keep(self, route: str, question: str, headers: Headers, body: bytes) -> None:
        self.engine.state.last_good.keep(route, question, headers, body, 0.0)

    def left(self, ticket_id: int) -> None:
        self.deserted.append(ticket_id)


class Stream:
    """One stream over one engine; speaks messages instead of bytes."""

    def __init__(self, *routes: Route, feedback: bool = False, epoch: int = 0) -> None:
        self.router: Final = Deciding(an_engine(*routes, epoch=epoch))
        self.machine: Final = ExtProcStream(self.router, Answers(), feedback=feedback)

    def send(self, message: Any) -> list[Any]:
        return [
            ext_proc.ProcessingResponse.FromString(reply)
            for reply in self.machine.receive(message.SerializeToString())
        ]

    def ask(self, message: Any) -> Any:
        """The one answer."""
        (answer,) = self.send(message)
        return answer


def phase_of(answer: Any) -> str:
    phase: str = answer.WhichOneof("response") or ""
    return phase


def set_headers(answer: Any) -> dict[str, str]:
    """What the answer sets or adds, by name; fails when a name is there twice."""
    options = answer.request_headers.response.header_mutation.set_headers
    found = {option.header.key: option.header.raw_value.decode() for option in options}
    assert len(found) == len(options)
    return found


def chunks(answers: list[Any], phase: str = "request_body") -> list[Any]:
    return [getattr(answer, phase).response.body_mutation.streamed_response for answer in answers]
