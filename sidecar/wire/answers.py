"""Decisions and refusals as the bytes of an ext_proc ProcessingResponse.

Most answers of one variant and endpoint differ in the ticket alone. So each is encoded once, with a
placeholder of the ticket's fixed length, and kept; an answer is then three pieces of bytes put together.
A rewritten path is appended as a message of its own: protobuf merges concatenated messages field by field.
"""

import json
from typing import Any, Final

from envoy.config.core.v3 import base_pb2
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc

from sidecar import names
from sidecar.core.decision import Decision, Reason, Refusal

_NO_TICKET: Final = "0" * 16
_PLACEHOLDER: Final = "\x01" * 16  # no configured text may hold a control character
_MOST_KEPT: Final = 8192
_ESCAPED: Final = {code: f"%{code:02X}" for code in (*range(32), 127)}

Replace: Final = base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
Append: Final = base_pb2.HeaderValueOption.APPEND_IF_EXISTS_OR_ADD


class Answers:
    """Encodes answers to request headers; keeps what repeats, for one generation of the plan at a time."""

    def __init__(self) -> None:
        self._generation = -1
        self._kept: dict[object, tuple[bytes, bytes]] = {}
        self._refusals: dict[Reason, bytes] = {}

    def encode(self, answer: Decision | Refusal) -> bytes:
        if isinstance(answer, Decision):
            return self._decision(answer)
        encoded = self._refusals.get(answer.reason)
        if encoded is None:
            encoded = self._refusals[answer.reason] = _refusal(answer)
        return encoded

    def _decision(self, decision: Decision) -> bytes:
        if decision.generation != self._generation or len(self._kept) > _MOST_KEPT:
            self._kept = {}
            self._generation = decision.generation
        fallbacks = decision.fallbacks
        key: object = (decision.variant, decision.endpoint)
        if fallbacks:
            key = (decision.variant, decision.endpoint, *fallbacks)
        kept = self._kept.get(key)
        if kept is None:
            whole = _decision(decision).SerializeToString(deterministic=True)
            before, _, after = whole.partition(_PLACEHOLDER.encode())
            kept = self._kept[key] = (before, after)
        ticket = decision.ticket
        number = _NO_TICKET if ticket is None else f"{ticket.id:016x}"
        encoded = kept[0] + number.encode() + kept[1]
        return encoded if decision.target is None else encoded + _target(decision.target)


def _decision(decision: Decision) -> Any:
    response = ext_proc.ProcessingResponse()
    common = response.request_headers.response
    common.clear_route_cache = True
    mutation = common.header_mutation
    changes = decision.route.request_headers
    mutation.remove_headers.extend(changes.remove)
    _set(mutation, names.CLUSTER_HEADER, decision.endpoint.cluster, Replace)
    _set(mutation, names.ROUTE_HEADER, decision.route.name, Replace)
    for name, value in changes.set:
        _set(mutation, name, value, Replace)
    for name, value in changes.add:
        _set(mutation, name, value, Append)
    if decision.route.rewrite is not None and decision.route.rewrite.host:
        _set(mutation, ":authority", decision.route.rewrite.host, Replace)
    picked = [endpoint.address for endpoint in (decision.endpoint, *decision.fallbacks) if endpoint.address]
    metadata: dict[str, Any] = {names.METADATA_NAMESPACE: {names.TICKET_KEY: _PLACEHOLDER}}
    if picked:
        metadata[names.ENDPOINT_NAMESPACE] = {names.ENDPOINT_KEY: ",".join(picked)}
    response.dynamic_metadata.update(metadata)
    return response


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
    _set(immediate.headers, "content-type", "application/json", Replace)
    immediate.details = f"sidecar_{refusal.reason.value}"
    encoded: bytes = response.SerializeToString()
    return encoded


def refusal_body(refusal: Refusal) -> bytes:
    """What the client of a refused request reads."""
    return json.dumps({"reason": refusal.reason.value, "message": refusal.message}).encode() + b"\n"


def _set(mutation: Any, name: str, value: str, action: int) -> None:
    # Only raw_value: Envoy takes the other field, if it is there, and makes the header empty.
    option = mutation.set_headers.add()
    option.header.key = name
    option.header.raw_value = value.encode("utf-8", "surrogateescape")
    option.append_action = action
    if action == Append:  # Envoy's ext_proc looks at the older field, whose default is to overwrite
        option.append.value = True
