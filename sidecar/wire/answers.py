"""Decisions, refusals and replies as the bytes of an ext_proc ProcessingResponse.

Most answers of one variant and endpoint differ in the ticket alone. So each is encoded once, with a
placeholder of the ticket's fixed length, and kept; an answer is then three pieces of bytes put together.
What few requests have (a rewritten path, a fault, a mirror, a cookie) is appended as a message of its own:
protobuf merges concatenated messages field by field.
"""

import json
from typing import Any, Final

from envoy.config.core.v3 import base_pb2
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc

from sidecar import names
from sidecar.core.decision import Answer, Decision
from sidecar.core.endpoint import Endpoint
from sidecar.core.happening import Drawn
from sidecar.core.refusal import Refusal
from sidecar.core.reply import Reply
from sidecar.wire.attempts import attempts, milliseconds, picked, rearranged, retry_headers
from sidecar.wire.changes import request_changes

_NO_TICKET: Final = "0" * 16
_PLACEHOLDER: Final = "\x01" * 16  # no configured text may hold a control character
_MOST_KEPT: Final = 8192
_ESCAPED: Final = {code: f"%{code:02X}" for code in (*range(32), 127)}

Replace: Final = base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
Append: Final = base_pb2.HeaderValueOption.APPEND_IF_EXISTS_OR_ADD


class Answers:
    """Encodes answers to request headers; keeps what repeats, for one generation of the plan at a time."""

    def __init__(self, *, picker: bool = False) -> None:
        """With `picker`, as the endpoint-picker protocol has it: who asks is a gateway with routes and
        retries of its own, which is told endpoints, changes of the request, and refusals."""
        self._picker: Final = picker
        self._generation = -1
        self._kept: dict[object, tuple[bytes, bytes, list[Endpoint] | None]] = {}
        self._happened: dict[tuple[int, int, str], bytes] = {}
        self._refusals: dict[object, bytes] = {}
        self._replies: dict[str, tuple[Reply, bytes]] = {}

    def encode(self, answer: Answer) -> bytes:
        if isinstance(answer, Decision):
            return self._decision(answer)
        return self._reply(answer) if isinstance(answer, Reply) else self._refusal(answer)

    def _decision(self, decision: Decision) -> bytes:
        if decision.generation != self._generation or len(self._kept) > _MOST_KEPT:
            self._kept = {}
            self._happened = {}
            self._generation = decision.generation
        fallbacks = decision.fallbacks
        key: object = (decision.variant, decision.endpoint)
        if fallbacks or decision.steps or decision.retries is not None:
            key = (decision.variant, decision.endpoint, decision.retries, decision.steps, *fallbacks)
        kept = self._kept.get(key)
        if kept is None:
            made = _pick(decision) if self._picker else _decision(decision)
            whole = made.SerializeToString(deterministic=True)
            before, _, after = whole.partition(_PLACEHOLDER.encode())
            asked = None if self._picker else rearranged(decision)
            kept = self._kept[key] = (before, after, asked)
        ticket = decision.ticket
        number = _NO_TICKET if ticket is None else f"{ticket.id:016x}"
        if ticket is not None:
            ticket.asked = kept[2]
        encoded = kept[0] + number.encode() + kept[1]
        if decision.drawn is not None and not self._picker:
            encoded += self._happening(decision.drawn)
        if decision.cookie:
            encoded += _cookie(decision.cookie)
        return encoded if decision.target is None else encoded + _target(decision.target)

    def _happening(self, drawn: Drawn) -> bytes:
        key = (drawn.delay_ms, drawn.abort_status, drawn.mirror)
        encoded = self._happened.get(key)
        if encoded is None:
            encoded = self._happened[key] = _happening(drawn)
        return encoded

    def _refusal(self, refusal: Refusal) -> bytes:
        key = (refusal.reason, refusal.status, refusal.message, refusal.body)
        encoded = self._refusals.get(key)
        if encoded is None:
            if len(self._refusals) > _MOST_KEPT:
                self._refusals.clear()
            encoded = self._refusals[key] = _refusal(refusal)
        return encoded

    def _reply(self, reply: Reply) -> bytes:
        """A fixed reply is one object as long as its plan lives; a redirect makes one for each request."""
        if reply.data is not None:  # large, and of its moment
            return _reply(reply)
        kept = self._replies.get(reply.route)
        if kept is not None and kept[0] is reply:
            return kept[1]
        if len(self._replies) > _MOST_KEPT:
            self._replies.clear()
        encoded = _reply(reply)
        self._replies[reply.route] = (reply, encoded)
        return encoded


def _decision(decision: Decision) -> Any:
    cluster, addresses = attempts(decision)
    response = _changed(
        decision, ((names.CLUSTER_HEADER, cluster), (names.ROUTE_HEADER, decision.route.name)), addresses
    )
    mutation = response.request_headers.response.header_mutation
    if decision.route.timeout_s >= 0:
        _set(mutation, names.TIMEOUT_HEADER, milliseconds(decision.route.timeout_s), Replace)
    if decision.retries is not None:
        for name, value in retry_headers(decision.retries):
            _set(mutation, name, value, Replace)
    return response


def _pick(decision: Decision) -> Any:
    """The list stands in a header and in metadata: gateways read the one or the other, and never both."""
    addresses = picked(decision)
    return _changed(decision, ((names.ENDPOINT_KEY, ",".join(addresses)),), addresses)


def _changed(decision: Decision, headers: tuple[tuple[str, str], ...], addresses: list[str]) -> Any:
    """With these headers, those of the route, and in metadata the addresses and the ticket."""
    response = ext_proc.ProcessingResponse()
    common = response.request_headers.response
    common.clear_route_cache = True
    mutation = common.header_mutation
    changes = request_changes(decision)
    mutation.remove_headers.extend(changes.remove)
    for name, value in (*headers, *changes.set):
        _set(mutation, name, value, Replace)
    for name, value in changes.add:
        _set(mutation, name, value, Append)
    if decision.route.rewrite is not None and decision.route.rewrite.host:
        _set(mutation, ":authority", decision.route.rewrite.host, Replace)
    metadata: dict[str, Any] = {names.METADATA_NAMESPACE: {names.TICKET_KEY: _PLACEHOLDER}}
    if addresses:
        metadata[names.ENDPOINT_NAMESPACE] = {names.ENDPOINT_KEY: ",".join(addresses)}
    if decision.route.labels:
        metadata[names.LABELS_NAMESPACE] = dict(decision.route.labels)
    response.dynamic_metadata.update(metadata)
    return response


def _happening(drawn: Drawn) -> bytes:
    response = ext_proc.ProcessingResponse()
    mutation = response.request_headers.response.header_mutation
    if drawn.delay_ms:
        _set(mutation, names.DELAY_HEADER, str(drawn.delay_ms), Replace)
    if drawn.abort_status:
        _set(mutation, names.ABORT_HEADER, str(drawn.abort_status), Replace)
    if drawn.mirror:
        _set(mutation, names.MIRROR_HEADER, drawn.mirror, Replace)
    encoded: bytes = response.SerializeToString()
    return encoded


def _cookie(text: str) -> bytes:
    response = ext_proc.ProcessingResponse()
    response.dynamic_metadata.update({names.COOKIE_NAMESPACE: {names.COOKIE_KEY: text}})
    encoded: bytes = response.SerializeToString()
    return encoded


def _target(target: str) -> bytes:
    if not target.isprintable():  # Envoy fails a request that is given a control character
        target = target.translate(_ESCAPED)
    response = ext_proc.ProcessingResponse()
    _set(response.request_headers.response.header_mutation, ":path", target, Replace)
    encoded: bytes = response.SerializeToString()
    return encoded


def _refusal(refusal: Refusal) -> bytes:
    response = ext_proc.ProcessingResponse()
    immediate = response.immediate_response
    immediate.status.code = refusal.status
    immediate.body = refusal_body(refusal)
    _set(
        immediate.headers,
        "content-type",
        "application/json" if refusal.body is None else "text/plain; charset=utf-8",
        Replace,
    )
    immediate.details = f"sidecar_{refusal.reason.value}"
    encoded: bytes = response.SerializeToString()
    return encoded


def _reply(reply: Reply) -> bytes:
    response = ext_proc.ProcessingResponse()
    immediate = response.immediate_response
    immediate.status.code = reply.status
    immediate.body = reply.body.encode() if reply.data is None else reply.data
    for name, value in reply.headers:
        value = _location(value) if name == "location" else value
        _set(immediate.headers, name, value, Replace if reply.data is None else Append)
    immediate.details = "sidecar_reply"
    encoded: bytes = response.SerializeToString()
    return encoded


def _location(value: str) -> str:
    """As a URL has it. The request's path may have put any byte in, and Envoy drops a header for some."""
    if value.isascii() and value.isprintable() and " " not in value:
        return value
    return "".join(
        chr(byte) if 0x21 <= byte <= 0x7E else f"%{byte:02X}"
        for byte in value.encode("utf-8", "surrogateescape")
    )


def refusal_body(refusal: Refusal) -> bytes:
    """What the client of a refused request reads."""
    if refusal.body is not None:
        return refusal.body.encode()
    return json.dumps({"reason": refusal.reason.value, "message": refusal.message}).encode() + b"\n"


def _set(mutation: Any, name: str, value: str, action: int) -> None:
    # Only raw_value: Envoy takes the other field, if it is there, and makes the header empty.
    option = mutation.set_headers.add()
    option.header.key = name
    option.header.raw_value = value.encode("utf-8", "surrogateescape")
    option.append_action = action
    if action == Append:  # Envoy's ext_proc looks at the older field, whose default is to overwrite
        option.append.value = True
