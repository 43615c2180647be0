"""What is fuzzed: a target takes any bytes, asks the sidecar, and raises Violation for a broken promise.

A target returns what was special about the answers, so that inputs which bring something new are kept and
changed further. It asks through the services, as the shells do, with a router that lets bugs through.
"""

import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final, NoReturn

from envoy.extensions.filters.http.ext_proc.v3 import processing_mode_pb2
from envoy.service.accesslog.v3 import als_pb2
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from google.protobuf.message import DecodeError

from sidecar.config.errors import ConfigError
from sidecar.config.load import loads
from sidecar.core.engine import Engine
from sidecar.core.request import Request, headers_of
from sidecar.core.state.memory import State
from sidecar.names import BODY_NAMESPACE
from sidecar.normal import normal
from sidecar.runtime.measures import Measures
from sidecar.runtime.methods import Bidirectional, ClientStream, Code, Conversation, Failed, Unary
from sidecar.runtime.router import Router
from sidecar.runtime.services import ACCESS_LOG, EXT_PROC, ROUTE, services
from sidecar.v1 import route_pb2
from sidecar.wire import access_log
from sidecar.wire import ext_proc as stream
from sidecar.wire.reader import request_body, request_of_headers
from sidecar.wire.request import headers_of_map, usual_request
from sidecar.xds.bootstrap import bootstrap
from tests.fuzz import mutate, words
from tests.golden import replay
from tests.wire import messages
from tests.wire.entries import a_failed_entry, a_whole_entry, an_entry, batch

ANSWER_WITHIN_S: Final = 0.05
"""CPU of one answer."""
CONFIG_WITHIN_S: Final = 3.0

_FOLDER: Final = Path(__file__).parent
_EXAMPLES: Final = _FOLDER.parents[1] / "deploy" / "examples"
_FULL_DUPLEX: Final = processing_mode_pb2.ProcessingMode.FULL_DUPLEX_STREAMED
_GRPC: Final = processing_mode_pb2.ProcessingMode.GRPC
_FEEDBACK, _HALF_CLOSE, _SINGLE = 1, 2, 4
_CLOSED_AT_RANDOM: Final = {"night"}
_UPLOADS: Final = {route_pb2.REFUSAL_REASON_TOO_LARGE, route_pb2.REFUSAL_REASON_TYPE_NOT_ALLOWED}
_BY_CHANCE: Final = {"some": "share", "pool": "share"}


class Violation(Exception):
    """A promise is broken; the text says which."""


class Slow(Violation):
    """An answer took too long."""


class _Strict(Router):
    """Lets bugs through, which the usual one answers as `on_error` says."""

    def _tell(self, bug: Exception, event: str) -> NoReturn:
        raise Violation(f"{event}: {bug!r}") from bug


@dataclass
class Watch:
    """CPU of single calls; `slowest` is that of the input at hand."""

    slowest: float = 0.0

    def __call__(self, call: Callable[..., Any], *arguments: Any) -> Any:
        begun = time.process_time()
        try:
            return call(*arguments)
        finally:
            self.slowest = max(self.slowest, time.process_time() - begun)


class World:
    """One sidecar without a shell, whose memory stays from input to input."""

    def __init__(self) -> None:
        text = (_FOLDER / "gateway.yaml").read_text("utf-8")
        loaded = loads(text, "gateway.yaml", 1)
        self.config: Final = loaded.config
        self.engine: Final = Engine(loaded.plan, State(0, loaded.config.tickets.most), Random(1))
        self.router: Final = _Strict(self.engine, Measures())
        measures = Measures()
        self.quiet: Final = services(self.router, measures, feedback=False)
        self.telling: Final = services(self.router, measures, feedback=True)
        self.watch: Final = Watch()


@dataclass(frozen=True)
class Target:
    """`share` is how often it is tried, among the others' shares."""

    name: str
    share: int
    seeds: Callable[[], list[bytes]]
    mutated: mutate.Mutator
    run: Callable[[World, bytes], Hashable]
    within_s: float = ANSWER_WITHIN_S


def _require(held: object, promise: str) -> None:
    if not held:
        raise Violation(promise)


# Streams of ext_proc


@dataclass
class _Bodies:
    """Bytes of one direction that were handed over, and given back."""

    taken: bytearray = field(default_factory=bytearray)
    given: bytearray = field(default_factory=bytearray)
    ends_taken: int = 0
    ends_given: int = 0

    def all_back(self) -> bool:
        return self.taken == self.given and self.ends_taken == self.ends_given


class _Expected:
    """What answers may come next in one stream. `waits` while the answer to the headers may be held back."""

    def __init__(self) -> None:
        self.open: Final[Counter[str]] = Counter()
        self.bodies: Final = {"request_body": _Bodies(), "response_body": _Bodies()}
        self.modes = {"request_body": 0, "response_body": 0}
        self.steady = True
        """Modes are told once, as Envoy does; else only what holds for any order is checked."""
        self._told = False
        self._begun = False
        self.decided = False
        self.refused = False
        self.waits = False

    def received(self, message: Any) -> str | None:
        phase: str | None = message.WhichOneof("request")
        if message.HasField("protocol_config"):
            config = message.protocol_config
            modes = {"request_body": config.request_body_mode, "response_body": config.response_body_mode}
            self.steady = self.steady and (not self._told or modes == self.modes)
            self.modes = modes
        if not self._told:
            self.steady = self.steady and phase == "request_headers"
        self._told = True
        if phase is None:
            return None
        if phase == "request_headers" and not self._begun:
            self._begun = True
            self.waits = (
                self.modes["request_body"] == _FULL_DUPLEX and not message.request_headers.end_of_stream
            )
        if self.handed_over(phase):
            part = getattr(message, phase)
            bodies = self.bodies[phase]
            bodies.taken += part.body
            bodies.ends_taken += part.end_of_stream
            if phase == "request_body" and part.end_of_stream:
                self.waits = False
        else:
            self.open[phase] += 1
        if phase == "request_trailers":
            self.waits = False
        return phase

    def handed_over(self, phase: str) -> bool:
        return phase in self.bodies and self.modes[phase] in {_FULL_DUPLEX, _GRPC}

    def answered(self, answer: Any, size: int) -> None:
        phase = answer.WhichOneof("response")
        if phase == "immediate_response":
            _require(not self.refused, "a request is refused once")
            _require(200 <= answer.immediate_response.status.code < 600, "a refusal has a status")
            _check_headers(answer.immediate_response.headers)
            self.refused = True
            self.decided = True
            return
        if phase == "request_headers" and answer.request_headers.HasField("response"):
            _require(not self.decided, "a request is decided once")
            _check_headers(answer.request_headers.response.header_mutation)
            self.decided, self.waits = True, False
        if phase in self.bodies and getattr(answer, phase).response.HasField("body_mutation"):
            part = getattr(answer, phase).response.body_mutation.streamed_response
            bodies = self.bodies[phase]
            bodies.given += part.body
            bodies.ends_given += part.end_of_stream
            _require(self.modes[phase] == _GRPC or len(part.body) <= stream.LARGEST_CHUNK, "chunks fit Envoy")
            if self.steady:
                _require(self.handed_over(phase), "bytes are given back where they were handed over")
                _require(bodies.taken.startswith(bodies.given), "the body is given back unchanged")
                _require(phase != "request_body" or self.decided, "the headers are answered before the body")
        else:
            _require(self.open[phase] > 0, f"an answer of {phase} belongs to a message of it")
            self.open[phase] -= 1

    def caught_up(self) -> None:
        """After each message: nothing is held back, unless a rule may wait for the body."""
        if self.steady and not self.waits:
            _require(not +self.open, f"each message is answered, and {dict(+self.open)} are not")
            _require(all(each.all_back() for each in self.bodies.values()), "every byte is given back")


def _check_headers(mutation: Any) -> None:
    """One bad character in a header, and Envoy fails the request."""
    for option in mutation.set_headers:
        name, value = option.header.key, option.header.raw_value
        _require(
            name and name == name.lower() and name.isascii() and name.isprintable(), f"{name!r} is a name"
        )
        _require(not option.header.value, "only raw_value is set")
        bad = [byte for byte in value if (byte < 0x20 and byte != 9) or byte == 0x7F]
        _require(not bad, f"the value of {name} can be sent: {value[:80]!r}")


def _run_stream(world: World, data: bytes) -> Hashable:
    flags, sequence = mutate.unframed(data)
    methods = world.telling if flags & _FEEDBACK else world.quiet
    method = methods[f"/{EXT_PROC}/Process"]
    assert isinstance(method, Bidirectional)
    assert method.single is not None
    if flags & _SINGLE and sequence:
        return _run_single(world, method.single, sequence[0])
    call = method.open()
    expected = _Expected()
    signs: list[Hashable] = []
    for encoded in sequence:
        if call.finished or expected.refused:
            break
        message = _read(ext_proc.ProcessingRequest, encoded)
        _check_readers(encoded, message)
        try:
            answers = world.watch(lambda encoded=encoded: list(call.receive(encoded)))
        except Failed as failed:
            _require(
                failed.code is Code.INVALID_ARGUMENT and message is None, f"fails without need: {failed}"
            )
            signs.append("undecodable")
            break
        _require(message is not None, "what is no ProcessingRequest is refused")
        if message.observability_mode:
            _require(not answers, "who only watches is not answered")
            continue
        phase = expected.received(message)
        for each in answers:
            answer = ext_proc.ProcessingResponse.FromString(each)
            expected.answered(answer, len(each))
            signs.append(_sign(answer))
        if phase is None:
            _require((call.finished, answers) == (True, []), "an unknown phase ends the stream")
        if not expected.refused:
            expected.caught_up()
    _close(world, call, expected, half=bool(flags & _HALF_CLOSE))
    return (len(sequence) > 3, *signs[:6])


def _close(world: World, call: Conversation, expected: _Expected, *, half: bool) -> None:
    if half and not call.finished:
        try:
            _require(world.watch(call.half_closed) == (), "nothing is said after the end")
        except Failed as failed:
            _require(failed.code is Code.UNAVAILABLE, "only a body that is owed is a reason to fail")
    call.closed()


def _run_single(world: World, single: Callable[[bytes], bytes], encoded: bytes) -> Hashable:
    message = _read(ext_proc.ProcessingRequest, encoded)
    try:
        answer = ext_proc.ProcessingResponse.FromString(world.watch(single, encoded))
    except Failed as failed:
        _require(failed.code is Code.INVALID_ARGUMENT, f"fails otherwise: {failed}")
        return "refused"
    _require(message is not None, "what is no ProcessingRequest is refused")
    phase = message.WhichOneof("request")
    _require(answer.WhichOneof("response") in {phase, "immediate_response"}, "the answer is of the own phase")
    return _sign(answer)


def _check_readers(encoded: bytes, message: Any) -> None:
    """The fast readers say what the library says, or nothing."""
    request = usual_request(encoded)
    if request is not None:
        _require(message is not None, "the fast reader takes nothing that the library refuses")
        _require(message.WhichOneof("request") == "request_headers", "the fast reader knows the phase")
        head = message.request_headers
        told = request_of_headers(headers_of_map(head.headers), ends=head.end_of_stream)
        _require(_facts(request) == _facts(told), "the fast reader says what the library says")
        _require(not message.observability_mode, "the fast reader leaves watching to the library")
    part = request_body(encoded)
    if part is not None:
        _require(message is not None, "the reader of bodies takes nothing that the library refuses")
        begin, end, last = part
        body = message.request_body
        _require(
            message.WhichOneof("request") == "request_body"
            and (encoded[begin:end], last) == (body.body, body.end_of_stream),
            "the reader of bodies says what the library says",
        )


def _facts(request: Request) -> tuple[object, ...]:
    headers = {name: request.headers.raw(name) for name in request.headers.names()}
    return (request.method, request.authority, request.target, headers, request.ends)


def _sign(answer: Any) -> Hashable:
    """What is special about an answer, in few different values."""
    phase: str = answer.WhichOneof("response")
    if phase == "immediate_response":
        return (answer.immediate_response.status.code, answer.immediate_response.details)
    if phase == "request_headers":
        options = answer.request_headers.response.header_mutation.set_headers
        return tuple(
            option.header.raw_value for option in options if option.header.key.startswith("x-sidecar")
        )
    if phase in {"request_body", "response_body"}:
        part = getattr(answer, phase).response
        return (phase, part.HasField("body_mutation"), part.body_mutation.streamed_response.end_of_stream)
    return phase


def _read(kind: Any, encoded: bytes) -> Any:
    try:
        return kind.FromString(encoded)
    except DecodeError:
        return None


_SAID: Final[dict[str, dict[str, Any]]] = {
    BODY_NAMESPACE: {"data.priority": "high", "a": 1, "kind": "small", "model": "best"},
    "envoy.filters.http.jwt_authn": {"claims": {"sub": "u1", "groups": ["beta", 1, True, None]}},
    "org.test": {"a": {"b": "acme"}},
}


def _stream_seeds() -> list[bytes]:
    seeds = []
    for case in replay.cases():
        read = replay.read(replay.FOLDER / f"{case}.request.txtpb", ext_proc.ProcessingRequest)
        seeds.append(mutate.framed(0, [message.SerializeToString() for message in read]))
    for path in words.PATHS:
        target = path.encode("utf-8", "surrogateescape")
        usual = messages.request_headers(
            target, ("x-a", "1"), ("cookie", "c=v; sid=1"), ("x-forwarded-for", "10.1.1.1")
        )
        seeds.append(mutate.framed(_SINGLE, [usual.SerializeToString()]))
        seeds.append(mutate.framed(_FEEDBACK, _whole_exchange(target)))
        for name, struct in _SAID.items():  # what Envoy's filters found in the body and in a token
            usual.metadata_context.filter_metadata[name].update(struct)
        seeds.append(mutate.framed(0, [usual.SerializeToString()]))
    return seeds


def _whole_exchange(target: bytes) -> list[bytes]:
    """Everything that Envoy may send for one request, with bodies in full duplex."""
    head = messages.request_headers(
        target,
        ("content-type", "application/json"),
        method="POST",
        request_mode=_FULL_DUPLEX,
        response_mode=_FULL_DUPLEX,
        end_of_stream=False,
    )
    body = b'{"data": {"priority": "high", "list": [1]}, "model": "best"}'
    parts = [
        head,
        messages.body(body[:20]),
        messages.body(body[20:], end=len(target) % 2 == 0),
        messages.empty("request_trailers"),
        messages.response_headers(),
        messages.body(b"x" * 70_000, phase="response_body"),
        messages.body(b"", end=True, phase="response_body"),
        messages.empty("response_trailers"),
    ]
    return [part.SerializeToString() for part in parts]


# RouteService


def _run_route(world: World, data: bytes) -> Hashable:
    signs: list[Hashable] = []
    which = data[:1] or b"\0"
    kinds: tuple[tuple[str, Any, Any], ...] = (
        ("Route", route_pb2.RouteRequest, route_pb2.RouteResponse),
        ("Explain", route_pb2.ExplainRequest, route_pb2.ExplainResponse),
        ("ReportOutcome", route_pb2.ReportOutcomeRequest, route_pb2.ReportOutcomeResponse),
        ("ReportLoad", route_pb2.ReportLoadRequest, route_pb2.ReportLoadResponse),
    )
    name, kind, told = kinds[which[0] % len(kinds)]
    method = world.quiet[f"/{ROUTE}/{name}"]
    assert isinstance(method, Unary)
    try:
        answer = told.FromString(world.watch(method.handler, data[1:]))
    except Failed as failed:
        unknown = failed.code is Code.NOT_FOUND and name == "ReportLoad"
        wrong = failed.code is Code.INVALID_ARGUMENT or unknown
        _require(wrong and failed.message, f"fails otherwise: {failed}")
        signs.append(failed.message[:20])
        return tuple(signs)
    _require(_read(kind, data[1:]) is not None, f"what is no {name}Request is refused")
    if name == "ReportOutcome":
        return (name, answer.settled)
    if name == "ReportLoad":
        return (name,)
    said = answer if name == "Route" else answer.answer
    return (name, *_said(said))


def _said(answer: route_pb2.RouteResponse) -> tuple[Hashable, ...]:
    """What was decided, without what is drawn by chance."""
    kind = answer.WhichOneof("answer")
    _require(kind is not None, "there is an answer")
    if kind == "decision":
        _require(answer.decision.cluster and answer.decision.route, "a decision names route and cluster")
        return (kind, _BY_CHANCE.get(answer.decision.route, answer.decision.route))
    if kind == "refusal":
        _require(400 <= answer.refusal.status < 600, "a refusal has a status")
        return (kind, answer.refusal.reason, answer.refusal.status)
    _require(200 <= answer.reply.status < 600, "a reply has a status")
    return (kind, answer.reply.status)


_KINDS: Final = (
    route_pb2.RouteRequest,
    route_pb2.ExplainRequest,
    route_pb2.ReportOutcomeRequest,
    route_pb2.ReportLoadRequest,
)
_BY_KIND: Final = [mutate.of_message(kind) for kind in _KINDS]


def _mutated_route(rng: Random, data: bytes, other: bytes) -> bytes:
    which = data[0] % len(_KINDS) if data else 0
    lent = other[1:] if other and other[0] % len(_KINDS) == which else b""
    return bytes((which,)) + _BY_KIND[which](rng, data[1:], lent)


def _a_route_request(path: str, body: bytes = b"") -> route_pb2.RouteRequest:
    request = route_pb2.RouteRequest(method="POST", authority="shop.test", path=path, body=body)
    request.headers.add(name="content-type", value=b"application/json")
    request.headers.add(name="cookie", value=b"c=v; sid=1")
    request.headers.add(name="x-forwarded-for", value=b"10.1.1.1, 10.0.0.1")
    return request


def _route_seeds() -> list[bytes]:
    seeds = []
    for path in words.PATHS:
        sendable = path.encode("utf-8", "replace").decode()
        request = _a_route_request(sendable, b'{"a": 1}')
        request.body_fields["a"].number_value = 1
        request.metadata["org.test"].update({"a": {"b": ["acme", 1]}})
        seeds.append(b"\0" + request.SerializeToString())
        seeds.append(b"\1" + route_pb2.ExplainRequest(request=request).SerializeToString())
    outcome = route_pb2.ReportOutcomeRequest(ticket=1, status=200, duration_seconds=0.1, served="10.0.0.1:80")
    seeds.append(b"\2" + outcome.SerializeToString())
    load = route_pb2.ReportLoadRequest(cluster="shop", id="shop-a", utilisation=0.5, quota_left=3, quota=4)
    seeds.append(b"\3" + load.SerializeToString())
    return seeds


# Bodies: the same facts over ext_proc and over RouteService give the same decision


_NOT_COMPARED: Final = {"content-length", "transfer-encoding", "upgrade", "host", "connection", "te"}


def _run_bodies(world: World, data: bytes) -> Hashable:
    request = _read(route_pb2.RouteRequest, data)
    if request is None:
        return None
    for name in ("body_fields", "metadata", "body_size"):
        request.ClearField(name)
    kept = [
        (each.name.lower(), each.value) for each in request.headers if each.name.lower() not in _NOT_COMPARED
    ]
    del request.headers[:]
    for name, value in kept:
        request.headers.add(name=name, value=value)
    method = world.quiet[f"/{ROUTE}/Route"]
    assert isinstance(method, Unary)
    try:
        answer = route_pb2.RouteResponse.FromString(world.watch(method.handler, request.SerializeToString()))
    except Failed:
        return "malformed"
    said = _said(answer)
    if not request.body or request.method == "CONNECT" or not _is_plain(request.path):
        return said  # without a body a caller may just not have handed it over
    over_envoy = _over_envoy(world, request, kept)
    if _alike(said) != _alike(over_envoy) and not _CLOSED_AT_RANDOM & {said[1], over_envoy[1]}:
        raise Violation(f"RouteService says {said}, ext_proc says {over_envoy}")
    return said


def _alike(said: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    """Of an upload that is too large and of a wrong type, Envoy's stream tells the type before the size."""
    return ("refusal", "upload") if said[:1] == ("refusal",) and said[1] in _UPLOADS else said


def _is_plain(path: str) -> bool:
    """Whether Envoy would ask with this spelling."""
    try:
        return bool(path) and normal(path) == path
    except ValueError:
        return False


def _over_envoy(world: World, request: Any, headers: list[tuple[str, bytes]]) -> tuple[Hashable, ...]:
    """The same request as a stream with its body in pieces."""
    head = messages.request_headers(
        request.path.encode(),
        *headers,
        method=request.method or "GET",
        host=request.authority,
        request_mode=_FULL_DUPLEX,
        end_of_stream=not request.body,
    )
    sequence = [head]
    body = request.body
    rng = Random(len(body))
    at = 0
    while at < len(body):
        size = rng.choice((1, 3, 100, 5000, 62_000))
        sequence.append(messages.body(body[at : at + size], end=at + size >= len(body)))
        at += size
    method = world.quiet[f"/{EXT_PROC}/Process"]
    assert isinstance(method, Bidirectional)
    call = method.open()
    decided: tuple[Hashable, ...] | None = None
    for message in sequence:
        if call.finished:
            break
        for each in world.watch(lambda message=message: list(call.receive(message.SerializeToString()))):
            answer = ext_proc.ProcessingResponse.FromString(each)
            kind = answer.WhichOneof("response")
            if kind == "immediate_response":
                decided = _immediate(answer.immediate_response)
            elif kind == "request_headers":
                decided = _decided(answer)
    _require(decided is not None, "a whole request is decided")
    assert decided is not None
    return decided


def _immediate(response: Any) -> tuple[Hashable, ...]:
    reason = response.details.removeprefix("sidecar_")
    if reason == "reply":
        return ("reply", response.status.code)
    return ("refusal", getattr(route_pb2, f"REFUSAL_REASON_{reason.upper()}", reason), response.status.code)


def _decided(answer: Any) -> tuple[Hashable, ...]:
    options = answer.request_headers.response.header_mutation.set_headers
    (route,) = (
        option.header.raw_value.decode() for option in options if option.header.key == "x-sidecar-route"
    )
    return ("decision", _BY_CHANCE.get(route, route))


def _mutated_bodies(rng: Random, data: bytes, other: bytes) -> bytes:
    request = _read(route_pb2.RouteRequest, data)
    if request is None:
        return mutate.mutated_bytes(rng, data, other)
    if rng.random() < 0.6:
        lent = _read(route_pb2.RouteRequest, other)
        request.body = mutate.mutated_json(rng, request.body, b"" if lent is None else lent.body)
    else:
        mutate.mutate(rng, request)
    encoded: bytes = request.SerializeToString()
    return encoded if len(encoded) <= mutate.MOST_BYTES else data


_SIZES: Final = (1000, 61_900, 65_400, 65_536, 70_000)
"""Of bodies around the size of a piece and the limit."""


def _body_seeds() -> list[bytes]:
    paths = ("/body", "/chat", "/size", "/upload/x", "/nested", "/")
    bodies = [word.encode("utf-8", "surrogatepass") for word in words.JSON]
    bodies += [
        b'{"data": {"priority": "high", "list": [1]}, "fill": "%s"}' % (b"x" * size) for size in _SIZES
    ]
    return [_a_route_request(path, body).SerializeToString() for path in paths for body in bodies]


# Access logs


def _run_access_log(world: World, data: bytes) -> Hashable:
    method = world.quiet[f"/{ACCESS_LOG}/StreamAccessLogs"]
    assert isinstance(method, ClientStream)
    call = method.open()
    try:
        by_library: list[Any] | None = access_log.decoded(data)
    except access_log.Undecodable:
        by_library = None
    by_reader = access_log.READER.reports(data)
    if by_reader is not None:
        _require(by_library is not None, "the fast reader takes nothing that the library refuses")
        _require(
            _reports(by_reader) == _reports(by_library or []), "the fast reader says what the library says"
        )
    try:
        replies = list(world.watch(call.receive, data))
    except Failed as failed:
        _require(failed.code is Code.INVALID_ARGUMENT and by_library is None, f"fails otherwise: {failed}")
        return "undecodable"
    _require(by_library is not None and not replies, "an access log is read and not answered")
    return (
        by_reader is None,
        frozenset((report.ticket > 0, report.outcome.failure) for report in by_library or []),
    )


def _reports(told: Iterable[Any]) -> list[tuple[object, ...]]:
    return [
        (report.ticket, it.status, it.duration_s, it.failure, it.served, it.attempts)
        for report in told
        for it in [report.outcome]
    ]


def _log_seeds() -> list[bytes]:
    entries = [an_entry(0), an_entry(1), a_whole_entry(2), a_failed_entry(3)]
    return [batch(*entries), *(batch(entry) for entry in entries)]


# Configurations and paths


def _run_config(world: World, data: bytes) -> Hashable:
    text = data.decode("utf-8", "replace")
    try:
        loaded = world.watch(loads, text, "gateway.yaml", 1)
    except ConfigError as error:
        _require(error.problems, "a refusal says why")
        _require("\n" not in error.problems[0].message, "a problem is one line")
        return tuple(sorted({problem.message[:12] for problem in error.problems}))[:3]
    try:
        bootstrap(loaded.config)
        printed = True
    except ValueError:
        printed = False
    router = _Strict(Engine(loaded.plan, State(0, 1000), Random(1)), Measures())
    methods = services(router, Measures(), feedback=False)
    method = methods[f"/{EXT_PROC}/Process"]
    assert isinstance(method, Bidirectional)
    assert method.single is not None
    asked = [_said_by(method.single, head) for head in _heads()]
    return (printed, len(loaded.plan.routes) > 1, *asked)


def _heads() -> Sequence[bytes]:
    return [
        messages.request_headers("/", ("x-user-id", "u")).SerializeToString(),
        messages.request_headers("/api/items/1?a=b", ("cookie", "sid=1"), method="POST").SerializeToString(),
    ]


def _said_by(single: Callable[[bytes], bytes], head: bytes) -> str:
    answer = ext_proc.ProcessingResponse.FromString(single(head))
    phase: str = answer.WhichOneof("response")
    return phase


def _config_seeds() -> list[bytes]:
    files = [*_EXAMPLES.glob("*.yaml"), _FOLDER / "gateway.yaml", replay.FOLDER / "gateway.yaml"]
    whole = [path.read_bytes().partition(b"\ndemo:")[0] for path in sorted(files)]
    return [*whole, b"clusters: {a: {}}\nroutes: [{name: r, to: a}]\n"]


def _run_path(world: World, data: bytes) -> Hashable:
    target = data.decode("utf-8", "surrogateescape")
    if not target.isprintable():  # its callers refuse that before
        return None
    try:
        plain = world.watch(normal, target)
    except ValueError:
        return "refused"
    if ";" not in plain:  # Envoy too takes `/\\.;` apart in two steps
        _require(normal(plain) == plain, f"the plain spelling is plain: {plain[:200]!r}")
    path = plain.partition("?")[0]
    if path.startswith("/"):
        if path != "//":  # as Envoy makes it of slashes alone
            _require("//" not in path, f"{path[:200]!r} is plain")
        _require("/../" not in path and "/./" not in path, f"{path[:200]!r} is plain")
    world.engine.decide(Request("GET", "shop.test", plain, headers_of([])), 0.0)
    return (plain == target, len(plain) > 60, "%" in plain, "?" in plain)


def _mutated_path(rng: Random, data: bytes, other: bytes) -> bytes:
    made = data
    for _ in range(rng.choice((1, 2, 3))):
        if rng.random() < 0.5:
            made = mutate.mutated_bytes(rng, made, other)
        else:
            at = rng.randrange(len(made) + 1)
            made = made[:at] + rng.choice(_PATH_PARTS) + made[at + rng.randrange(3) :]
    return made[:20_000]


_PATH_PARTS: Final = (
    b"/", b"//", b"/./", b"/../", b"%2f", b"%2F", b"%5c", b"\\", b"%25", b"%00", b"%61", b"%C3%A9", b";",
    b"..;", b"?", b"#", b".", b"%2e", b"%", b"%%361", b"%3", b"a", b"\xff", b" ",
)  # fmt: skip


def _path_seeds() -> list[bytes]:
    return [path.encode("utf-8", "surrogateescape") for path in words.PATHS]


TARGETS: Final = [
    Target("stream", 44, _stream_seeds, mutate.of_sequence(ext_proc.ProcessingRequest), _run_stream),
    Target("route", 16, _route_seeds, _mutated_route, _run_route),
    Target("bodies", 16, _body_seeds, _mutated_bodies, _run_bodies),
    Target("access_log", 10, _log_seeds, mutate.of_message(als_pb2.StreamAccessLogsMessage), _run_access_log),
    Target("path", 8, _path_seeds, _mutated_path, _run_path),
    Target("config", 6, _config_seeds, mutate.mutated_yaml, _run_config, CONFIG_WITHIN_S),
]
"""In the order in which they take turns."""

BY_NAME: Final = {target.name: target for target in TARGETS}
