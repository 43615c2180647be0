from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BackoffKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BACKOFF_KIND_UNSPECIFIED: _ClassVar[BackoffKind]
    BACKOFF_KIND_NONE: _ClassVar[BackoffKind]
    BACKOFF_KIND_EXPONENTIAL: _ClassVar[BackoffKind]
    BACKOFF_KIND_LINEAR: _ClassVar[BackoffKind]
    BACKOFF_KIND_FIBONACCI: _ClassVar[BackoffKind]

class RefusalReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REFUSAL_REASON_UNSPECIFIED: _ClassVar[RefusalReason]
    REFUSAL_REASON_NO_ROUTE: _ClassVar[RefusalReason]
    REFUSAL_REASON_NO_ENDPOINT: _ClassVar[RefusalReason]
    REFUSAL_REASON_INTERNAL: _ClassVar[RefusalReason]
    REFUSAL_REASON_RATE_LIMITED: _ClassVar[RefusalReason]
    REFUSAL_REASON_MODEL_NOT_ALLOWED: _ClassVar[RefusalReason]
    REFUSAL_REASON_INVALID_REQUEST: _ClassVar[RefusalReason]
    REFUSAL_REASON_MAINTENANCE: _ClassVar[RefusalReason]
    REFUSAL_REASON_REJECTED: _ClassVar[RefusalReason]
    REFUSAL_REASON_ADDRESS_NOT_ALLOWED: _ClassVar[RefusalReason]
    REFUSAL_REASON_COUNTRY_NOT_ALLOWED: _ClassVar[RefusalReason]
    REFUSAL_REASON_HEADER_REQUIRED: _ClassVar[RefusalReason]
    REFUSAL_REASON_TOO_LARGE: _ClassVar[RefusalReason]
    REFUSAL_REASON_TYPE_NOT_ALLOWED: _ClassVar[RefusalReason]
    REFUSAL_REASON_BUDGET_EXCEEDED: _ClassVar[RefusalReason]
    REFUSAL_REASON_NO_HEALTHY_ENDPOINT: _ClassVar[RefusalReason]

class Failure(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_UNSPECIFIED: _ClassVar[Failure]
    FAILURE_CONNECTION: _ClassVar[Failure]
    FAILURE_TIMEOUT: _ClassVar[Failure]
    FAILURE_RESET: _ClassVar[Failure]
    FAILURE_CANCELLED: _ClassVar[Failure]

class Level(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LEVEL_UNSPECIFIED: _ClassVar[Level]
    LEVEL_HEALTHY: _ClassVar[Level]
    LEVEL_STANDBY: _ClassVar[Level]
    LEVEL_DEGRADED: _ClassVar[Level]
    LEVEL_RESTING: _ClassVar[Level]
    LEVEL_OUT: _ClassVar[Level]
    LEVEL_SPENT: _ClassVar[Level]
    LEVEL_GONE: _ClassVar[Level]
BACKOFF_KIND_UNSPECIFIED: BackoffKind
BACKOFF_KIND_NONE: BackoffKind
BACKOFF_KIND_EXPONENTIAL: BackoffKind
BACKOFF_KIND_LINEAR: BackoffKind
BACKOFF_KIND_FIBONACCI: BackoffKind
REFUSAL_REASON_UNSPECIFIED: RefusalReason
REFUSAL_REASON_NO_ROUTE: RefusalReason
REFUSAL_REASON_NO_ENDPOINT: RefusalReason
REFUSAL_REASON_INTERNAL: RefusalReason
REFUSAL_REASON_RATE_LIMITED: RefusalReason
REFUSAL_REASON_MODEL_NOT_ALLOWED: RefusalReason
REFUSAL_REASON_INVALID_REQUEST: RefusalReason
REFUSAL_REASON_MAINTENANCE: RefusalReason
REFUSAL_REASON_REJECTED: RefusalReason
REFUSAL_REASON_ADDRESS_NOT_ALLOWED: RefusalReason
REFUSAL_REASON_COUNTRY_NOT_ALLOWED: RefusalReason
REFUSAL_REASON_HEADER_REQUIRED: RefusalReason
REFUSAL_REASON_TOO_LARGE: RefusalReason
REFUSAL_REASON_TYPE_NOT_ALLOWED: RefusalReason
REFUSAL_REASON_BUDGET_EXCEEDED: RefusalReason
REFUSAL_REASON_NO_HEALTHY_ENDPOINT: RefusalReason
FAILURE_UNSPECIFIED: Failure
FAILURE_CONNECTION: Failure
FAILURE_TIMEOUT: Failure
FAILURE_RESET: Failure
FAILURE_CANCELLED: Failure
LEVEL_UNSPECIFIED: Level
LEVEL_HEALTHY: Level
LEVEL_STANDBY: Level
LEVEL_DEGRADED: Level
LEVEL_RESTING: Level
LEVEL_OUT: Level
LEVEL_SPENT: Level
LEVEL_GONE: Level

class Header(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: bytes
    def __init__(self, name: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...

class RouteRequest(_message.Message):
    __slots__ = ("method", "authority", "path", "headers", "body", "body_fields", "body_size", "metadata", "exclude", "prefer")
    class BodyFieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _struct_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _struct_pb2.Struct
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...
    METHOD_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELDS_FIELD_NUMBER: _ClassVar[int]
    BODY_SIZE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    PREFER_FIELD_NUMBER: _ClassVar[int]
    method: str
    authority: str
    path: str
    headers: _containers.RepeatedCompositeFieldContainer[Header]
    body: bytes
    body_fields: _containers.MessageMap[str, _struct_pb2.Value]
    body_size: int
    metadata: _containers.MessageMap[str, _struct_pb2.Struct]
    exclude: _containers.RepeatedScalarFieldContainer[str]
    prefer: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, method: _Optional[str] = ..., authority: _Optional[str] = ..., path: _Optional[str] = ..., headers: _Optional[_Iterable[_Union[Header, _Mapping]]] = ..., body: _Optional[bytes] = ..., body_fields: _Optional[_Mapping[str, _struct_pb2.Value]] = ..., body_size: _Optional[int] = ..., metadata: _Optional[_Mapping[str, _struct_pb2.Struct]] = ..., exclude: _Optional[_Iterable[str]] = ..., prefer: _Optional[_Iterable[str]] = ...) -> None: ...

class RouteResponse(_message.Message):
    __slots__ = ("decision", "refusal", "reply")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    decision: Decision
    refusal: Refusal
    reply: Reply
    def __init__(self, decision: _Optional[_Union[Decision, _Mapping]] = ..., refusal: _Optional[_Union[Refusal, _Mapping]] = ..., reply: _Optional[_Union[Reply, _Mapping]] = ...) -> None: ...

class Endpoint(_message.Message):
    __slots__ = ("cluster", "id", "address")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    id: str
    address: str
    def __init__(self, cluster: _Optional[str] = ..., id: _Optional[str] = ..., address: _Optional[str] = ...) -> None: ...

class Weight(_message.Message):
    __slots__ = ("variant", "share")
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    variant: str
    share: float
    def __init__(self, variant: _Optional[str] = ..., share: _Optional[float] = ...) -> None: ...

class HeaderValue(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("ticket", "route", "variant", "cluster", "endpoint", "fallbacks", "set_headers", "add_headers", "remove_headers", "path", "host", "weights", "reason", "candidates_considered", "strategy", "labels", "generation", "timeout_seconds", "mirror", "fault", "steps", "retry", "set_cookies")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TICKET_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    FALLBACKS_FIELD_NUMBER: _ClassVar[int]
    SET_HEADERS_FIELD_NUMBER: _ClassVar[int]
    ADD_HEADERS_FIELD_NUMBER: _ClassVar[int]
    REMOVE_HEADERS_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_CONSIDERED_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    MIRROR_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    SET_COOKIES_FIELD_NUMBER: _ClassVar[int]
    ticket: int
    route: str
    variant: str
    cluster: str
    endpoint: Endpoint
    fallbacks: _containers.RepeatedCompositeFieldContainer[Endpoint]
    set_headers: _containers.RepeatedCompositeFieldContainer[HeaderValue]
    add_headers: _containers.RepeatedCompositeFieldContainer[HeaderValue]
    remove_headers: _containers.RepeatedScalarFieldContainer[str]
    path: str
    host: str
    weights: _containers.RepeatedCompositeFieldContainer[Weight]
    reason: str
    candidates_considered: int
    strategy: str
    labels: _containers.ScalarMap[str, str]
    generation: int
    timeout_seconds: float
    mirror: str
    fault: Fault
    steps: _containers.RepeatedScalarFieldContainer[str]
    retry: RetryPolicy
    set_cookies: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ticket: _Optional[int] = ..., route: _Optional[str] = ..., variant: _Optional[str] = ..., cluster: _Optional[str] = ..., endpoint: _Optional[_Union[Endpoint, _Mapping]] = ..., fallbacks: _Optional[_Iterable[_Union[Endpoint, _Mapping]]] = ..., set_headers: _Optional[_Iterable[_Union[HeaderValue, _Mapping]]] = ..., add_headers: _Optional[_Iterable[_Union[HeaderValue, _Mapping]]] = ..., remove_headers: _Optional[_Iterable[str]] = ..., path: _Optional[str] = ..., host: _Optional[str] = ..., weights: _Optional[_Iterable[_Union[Weight, _Mapping]]] = ..., reason: _Optional[str] = ..., candidates_considered: _Optional[int] = ..., strategy: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., generation: _Optional[int] = ..., timeout_seconds: _Optional[float] = ..., mirror: _Optional[str] = ..., fault: _Optional[_Union[Fault, _Mapping]] = ..., steps: _Optional[_Iterable[str]] = ..., retry: _Optional[_Union[RetryPolicy, _Mapping]] = ..., set_cookies: _Optional[_Iterable[str]] = ...) -> None: ...

class RetryPolicy(_message.Message):
    __slots__ = ("attempts", "statuses", "failures", "per_try_timeout_seconds", "backoff")
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    PER_TRY_TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    BACKOFF_FIELD_NUMBER: _ClassVar[int]
    attempts: int
    statuses: _containers.RepeatedScalarFieldContainer[int]
    failures: _containers.RepeatedScalarFieldContainer[Failure]
    per_try_timeout_seconds: float
    backoff: Backoff
    def __init__(self, attempts: _Optional[int] = ..., statuses: _Optional[_Iterable[int]] = ..., failures: _Optional[_Iterable[_Union[Failure, str]]] = ..., per_try_timeout_seconds: _Optional[float] = ..., backoff: _Optional[_Union[Backoff, _Mapping]] = ...) -> None: ...

class Backoff(_message.Message):
    __slots__ = ("kind", "base_seconds", "factor", "max_seconds", "jitter")
    KIND_FIELD_NUMBER: _ClassVar[int]
    BASE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    MAX_SECONDS_FIELD_NUMBER: _ClassVar[int]
    JITTER_FIELD_NUMBER: _ClassVar[int]
    kind: BackoffKind
    base_seconds: float
    factor: float
    max_seconds: float
    jitter: bool
    def __init__(self, kind: _Optional[_Union[BackoffKind, str]] = ..., base_seconds: _Optional[float] = ..., factor: _Optional[float] = ..., max_seconds: _Optional[float] = ..., jitter: _Optional[bool] = ...) -> None: ...

class Fault(_message.Message):
    __slots__ = ("delay_seconds", "abort_status")
    DELAY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    ABORT_STATUS_FIELD_NUMBER: _ClassVar[int]
    delay_seconds: float
    abort_status: int
    def __init__(self, delay_seconds: _Optional[float] = ..., abort_status: _Optional[int] = ...) -> None: ...

class Reply(_message.Message):
    __slots__ = ("route", "status", "headers", "body")
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    route: str
    status: int
    headers: _containers.RepeatedCompositeFieldContainer[HeaderValue]
    body: bytes
    def __init__(self, route: _Optional[str] = ..., status: _Optional[int] = ..., headers: _Optional[_Iterable[_Union[HeaderValue, _Mapping]]] = ..., body: _Optional[bytes] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("reason", "status", "message", "route", "gate", "body")
    REASON_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    reason: RefusalReason
    status: int
    message: str
    route: str
    gate: str
    body: str
    def __init__(self, reason: _Optional[_Union[RefusalReason, str]] = ..., status: _Optional[int] = ..., message: _Optional[str] = ..., route: _Optional[str] = ..., gate: _Optional[str] = ..., body: _Optional[str] = ...) -> None: ...

class ReportOutcomeRequest(_message.Message):
    __slots__ = ("ticket", "status", "duration_seconds", "failure", "served", "attempts", "input_tokens", "output_tokens")
    TICKET_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DURATION_SECONDS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    SERVED_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    ticket: int
    status: int
    duration_seconds: float
    failure: Failure
    served: str
    attempts: int
    input_tokens: int
    output_tokens: int
    def __init__(self, ticket: _Optional[int] = ..., status: _Optional[int] = ..., duration_seconds: _Optional[float] = ..., failure: _Optional[_Union[Failure, str]] = ..., served: _Optional[str] = ..., attempts: _Optional[int] = ..., input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ...) -> None: ...

class ReportOutcomeResponse(_message.Message):
    __slots__ = ("settled",)
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    settled: bool
    def __init__(self, settled: _Optional[bool] = ...) -> None: ...

class ReportLoadRequest(_message.Message):
    __slots__ = ("cluster", "id", "address", "utilisation", "quota_used", "cache_hit_rate", "quota_left", "quota")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    UTILISATION_FIELD_NUMBER: _ClassVar[int]
    QUOTA_USED_FIELD_NUMBER: _ClassVar[int]
    CACHE_HIT_RATE_FIELD_NUMBER: _ClassVar[int]
    QUOTA_LEFT_FIELD_NUMBER: _ClassVar[int]
    QUOTA_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    id: str
    address: str
    utilisation: float
    quota_used: float
    cache_hit_rate: float
    quota_left: int
    quota: int
    def __init__(self, cluster: _Optional[str] = ..., id: _Optional[str] = ..., address: _Optional[str] = ..., utilisation: _Optional[float] = ..., quota_used: _Optional[float] = ..., cache_hit_rate: _Optional[float] = ..., quota_left: _Optional[int] = ..., quota: _Optional[int] = ...) -> None: ...

class ReportLoadResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: RouteRequest
    def __init__(self, request: _Optional[_Union[RouteRequest, _Mapping]] = ...) -> None: ...

class ConditionVerdict(_message.Message):
    __slots__ = ("condition", "seen", "held")
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    condition: str
    seen: str
    held: bool
    def __init__(self, condition: _Optional[str] = ..., seen: _Optional[str] = ..., held: _Optional[bool] = ...) -> None: ...

class RouteVerdict(_message.Message):
    __slots__ = ("route", "priority", "enabled", "matched", "chosen", "conditions")
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    MATCHED_FIELD_NUMBER: _ClassVar[int]
    CHOSEN_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    route: str
    priority: int
    enabled: bool
    matched: bool
    chosen: bool
    conditions: _containers.RepeatedCompositeFieldContainer[ConditionVerdict]
    def __init__(self, route: _Optional[str] = ..., priority: _Optional[int] = ..., enabled: _Optional[bool] = ..., matched: _Optional[bool] = ..., chosen: _Optional[bool] = ..., conditions: _Optional[_Iterable[_Union[ConditionVerdict, _Mapping]]] = ...) -> None: ...

class CandidateVerdict(_message.Message):
    __slots__ = ("endpoint", "place", "why", "score", "parts", "level", "marks", "state", "back_seconds", "health_score")
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    MARKS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    BACK_SECONDS_FIELD_NUMBER: _ClassVar[int]
    HEALTH_SCORE_FIELD_NUMBER: _ClassVar[int]
    endpoint: Endpoint
    place: int
    why: str
    score: float
    parts: _containers.RepeatedCompositeFieldContainer[ScorePart]
    level: Level
    marks: _containers.RepeatedCompositeFieldContainer[Mark]
    state: str
    back_seconds: float
    health_score: float
    def __init__(self, endpoint: _Optional[_Union[Endpoint, _Mapping]] = ..., place: _Optional[int] = ..., why: _Optional[str] = ..., score: _Optional[float] = ..., parts: _Optional[_Iterable[_Union[ScorePart, _Mapping]]] = ..., level: _Optional[_Union[Level, str]] = ..., marks: _Optional[_Iterable[_Union[Mark, _Mapping]]] = ..., state: _Optional[str] = ..., back_seconds: _Optional[float] = ..., health_score: _Optional[float] = ...) -> None: ...

class ScorePart(_message.Message):
    __slots__ = ("name", "score")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    name: str
    score: float
    def __init__(self, name: _Optional[str] = ..., score: _Optional[float] = ...) -> None: ...

class Mark(_message.Message):
    __slots__ = ("cause", "level", "why", "seconds_left")
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    SECONDS_LEFT_FIELD_NUMBER: _ClassVar[int]
    cause: str
    level: Level
    why: str
    seconds_left: float
    def __init__(self, cause: _Optional[str] = ..., level: _Optional[_Union[Level, str]] = ..., why: _Optional[str] = ..., seconds_left: _Optional[float] = ...) -> None: ...

class GateVerdict(_message.Message):
    __slots__ = ("gate", "condition", "seen", "refuses")
    GATE_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    REFUSES_FIELD_NUMBER: _ClassVar[int]
    gate: str
    condition: str
    seen: str
    refuses: bool
    def __init__(self, gate: _Optional[str] = ..., condition: _Optional[str] = ..., seen: _Optional[str] = ..., refuses: _Optional[bool] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("answer", "routes", "split", "candidates", "gates", "notes")
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    GATES_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    answer: RouteResponse
    routes: _containers.RepeatedCompositeFieldContainer[RouteVerdict]
    split: str
    candidates: _containers.RepeatedCompositeFieldContainer[CandidateVerdict]
    gates: _containers.RepeatedCompositeFieldContainer[GateVerdict]
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, answer: _Optional[_Union[RouteResponse, _Mapping]] = ..., routes: _Optional[_Iterable[_Union[RouteVerdict, _Mapping]]] = ..., split: _Optional[str] = ..., candidates: _Optional[_Iterable[_Union[CandidateVerdict, _Mapping]]] = ..., gates: _Optional[_Iterable[_Union[GateVerdict, _Mapping]]] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...
