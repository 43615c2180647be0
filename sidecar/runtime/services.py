"""The services that Envoy and others call: ext_proc, the access log, RouteService. Bytes in, bytes out."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final

from google.protobuf.empty_pb2 import Empty

from sidecar import names
from sidecar.core.request import Request
from sidecar.runtime.measures import Measures
from sidecar.runtime.methods import Bidirectional, ClientStream, Code, Failed, Methods, Unary
from sidecar.runtime.router import Router
from sidecar.v1 import route_pb2
from sidecar.wire import access_log, ext_proc, route
from sidecar.wire.answers import Answers
from sidecar.wire.request import usual_request

EXT_PROC: Final = "envoy.service.ext_proc.v3.ExternalProcessor"
ACCESS_LOG: Final = "envoy.service.accesslog.v3.AccessLogService"
ROUTE: Final = "sidecar.v1.RouteService"


class _ExtProcCall:
    """One HTTP request of Envoy."""

    def __init__(self, stream: ext_proc.ExtProcStream) -> None:
        self._stream: Final = stream
        self.finished = False

    def receive(self, data: bytes) -> Iterable[bytes]:
        try:
            replies = self._stream.receive(data)
        except ext_proc.Undecodable as error:
            raise Failed(Code.INVALID_ARGUMENT, str(error)) from error
        self.finished = self._stream.finished
        return replies

    def half_closed(self) -> Sequence[bytes]:
        if self._stream.owes:  # an end in good order would pass on the body cut short, as if it were whole
            raise Failed(Code.UNAVAILABLE, "the sidecar stops before the body has come")
        return ()

    def closed(self) -> None:
        """A cancel is neither an error nor a success."""
        self._stream.closed()


class _AccessLogCall:
    """One access log stream of Envoy; it lasts as long as the connection, and is never answered."""

    def __init__(self, router: Router, measures: Measures) -> None:
        self._router: Final = router
        self._measures: Final = measures
        self.finished = False

    def receive(self, data: bytes) -> Sequence[bytes]:
        try:
            for report in access_log.reports(data):
                if report.ticket:
                    self._router.reported(report.ticket, report.outcome, report.load)
                else:
                    self._measures.foreign_log_entries += 1
        except access_log.Undecodable as error:
            raise Failed(Code.INVALID_ARGUMENT, str(error)) from error
        return ()

    def half_closed(self) -> Sequence[bytes]:
        return (Empty().SerializeToString(),)

    def closed(self) -> None:
        """Nothing is held."""


class _RouteService:
    def __init__(self, router: Router) -> None:
        self._router: Final = router

    def route(self, data: bytes) -> bytes:
        message = _parsed(route_pb2.RouteRequest, data)
        request = self._request(message)
        encode = partial(route.encode_answer, path=route.respelled(message, request))
        if len(message.body) <= self._router.body_limit:
            return self._router.answer(request, encode)
        answered = self._router.attempt(request, encode)
        return answered or self._router.refuse(ext_proc.TOO_LARGE, encode)

    def report_outcome(self, data: bytes) -> bytes:
        message = _parsed(route_pb2.ReportOutcomeRequest, data)
        outcome = _checked(route.outcome_of, message)
        ticket = self._router.settle(message.ticket, outcome)
        return route_pb2.ReportOutcomeResponse(settled=ticket is not None).SerializeToString()

    def report_load(self, data: bytes) -> bytes:
        message = _parsed(route_pb2.ReportLoadRequest, data)
        report = _checked(route.load_of, message)
        endpoint = self._router.endpoint(message.cluster, message.id, message.address)
        if endpoint is None:
            named = f"id {message.id!r}" if message.id else f"address {message.address!r}"
            raise Failed(Code.NOT_FOUND, f"cluster {message.cluster!r} has no endpoint with {named}")
        self._router.told(endpoint, report)
        return b""

    def explain(self, data: bytes) -> bytes:
        message = _parsed(route_pb2.ExplainRequest, data)
        request = self._request(message.request)
        path = route.respelled(message.request, request)
        return route.explanation_message(self._router.explain(request), path).SerializeToString()

    def _request(self, message: route_pb2.RouteRequest) -> Request:
        try:
            return route.request_of_message(message, self._router.body_limit)
        except route.Malformed as error:
            raise Failed(Code.INVALID_ARGUMENT, str(error)) from error


def services(
    router: Router, measures: Measures, *, feedback: bool, picker: bool = False, tokens_header: str = ""
) -> Methods:
    """All methods by full name. With `feedback`, the ext_proc response phase settles tickets, and tells
    tokens by the header of this name. With `picker`, Envoy's requests are answered as the endpoint-picker
    protocol has it."""
    answers = Answers(picker=picker)
    encode = answers.encode

    def open_ext_proc() -> _ExtProcCall:
        return _ExtProcCall(
            ext_proc.ExtProcStream(router, answers, feedback=feedback, tokens_header=tokens_header)
        )

    def answer_headers(data: bytes) -> bytes:
        request = usual_request(data)
        if request is not None:
            return router.answer(request, encode)
        for reply in open_ext_proc().receive(data):
            return reply
        raise Failed(Code.INVALID_ARGUMENT, "a stream announced as request headers only begins otherwise")

    routes = _RouteService(router)
    return {
        f"/{EXT_PROC}/Process": Bidirectional(
            open_ext_proc, single=answer_headers, announced_by=(names.PHASES_METADATA, names.HEADERS_ONLY)
        ),
        f"/{ACCESS_LOG}/StreamAccessLogs": ClientStream(lambda: _AccessLogCall(router, measures)),
        f"/{ROUTE}/Route": Unary(routes.route),
        f"/{ROUTE}/ReportOutcome": Unary(routes.report_outcome),
        f"/{ROUTE}/ReportLoad": Unary(routes.report_load),
        f"/{ROUTE}/Explain": Unary(routes.explain),
    }


def _parsed(kind: Any, data: bytes) -> Any:
    try:
        return route.parsed(kind, data)
    except route.Malformed as error:
        raise Failed(Code.INVALID_ARGUMENT, str(error)) from error


def _checked(convert: Any, message: Any) -> Any:
    try:
        return convert(message)
    except route.Malformed as error:
        raise Failed(Code.INVALID_ARGUMENT, str(error)) from error
