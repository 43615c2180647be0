"""What Envoy's response flags mean: the one table by which a flag becomes the `Failure` of an outcome.

Envoy sets as many flags as apply. The rows stand in the order in which they count, and the first that is set
tells: what befell the endpoint comes before the client's leaving, because clients leave what does not answer,
and what says nothing comes last. Where no flag tells, `response_code_details` says whether an endpoint
answered at all (`entry_reader.in_the_end`).

Flags: https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage. Which of them
Envoy 1.40 sets in which case was tried; `docs/outcomes.md` shows it.
"""

from enum import Enum
from typing import Any, Final, NamedTuple

from sidecar.core.outcome import Failure


class Whose(Enum):
    """To whom it is put down. What is not the endpoint's own is silent about it."""

    ENDPOINT = "the endpoint"
    CLIENT = "the client"
    ENVOY = "Envoy"
    NOBODY = "nobody: the status tells"


class Meaning(NamedTuple):
    failure: Failure
    whose: Whose
    when: str


_ENDPOINT: Final = Whose.ENDPOINT
_CLIENT: Final = Whose.CLIENT
_ENVOY: Final = Whose.ENVOY
_NOBODY: Final = Whose.NOBODY

MEANINGS: Final[dict[str, Meaning]] = {
    "upstream_connection_failure": Meaning(
        Failure.CONNECTION, _ENDPOINT, "it refused the connection, or took too long to accept it"
    ),
    "upstream_request_timeout": Meaning(
        Failure.TIMEOUT, _ENDPOINT, "the limit of the route, of one attempt, or of silence was over"
    ),
    "upstream_max_stream_duration_reached": Meaning(
        Failure.TIMEOUT, _ENDPOINT, "the longest that its cluster allows was over"
    ),
    "upstream_remote_reset": Meaning(Failure.RESET, _ENDPOINT, "it reset the stream"),
    "upstream_connection_termination": Meaning(Failure.RESET, _ENDPOINT, "it closed the connection"),
    "upstream_protocol_error": Meaning(
        Failure.RESET, _ENDPOINT, "what it sent is no HTTP, or its answer was cut off"
    ),
    "response_from_cache_filter": Meaning(Failure.REFUSED, _ENVOY, "answered from Envoy's cache"),
    "fault_injected": Meaning(Failure.REFUSED, _ENVOY, "answered by a fault that was asked for"),
    "no_cluster_found": Meaning(Failure.REFUSED, _ENVOY, "Envoy does not know the cluster"),
    "no_route_found": Meaning(Failure.REFUSED, _ENVOY, "Envoy has no route for it"),
    "no_healthy_upstream": Meaning(Failure.REFUSED, _ENVOY, "the cluster has no address to ask"),
    "upstream_overflow": Meaning(Failure.REFUSED, _ENVOY, "Envoy's own limit on the cluster is reached"),
    "dns_resolution_failure": Meaning(Failure.REFUSED, _ENVOY, "a name was not resolved"),
    "rate_limited": Meaning(Failure.REFUSED, _ENVOY, "a rate limit of Envoy's"),
    "rate_limit_service_error": Meaning(Failure.REFUSED, _ENVOY, "its rate limit service failed"),
    "unauthorized_details": Meaning(Failure.REFUSED, _ENVOY, "an authorization service denied it"),
    "overload_manager": Meaning(Failure.REFUSED, _ENVOY, "Envoy sheds load"),
    "no_filter_config_found": Meaning(Failure.REFUSED, _ENVOY, "a filter of Envoy's has no configuration"),
    "failed_local_healthcheck": Meaning(Failure.REFUSED, _ENVOY, "Envoy's own health check fails"),
    "invalid_envoy_request_headers": Meaning(
        Failure.REFUSED, _CLIENT, "it sent an x-envoy header with a value that cannot be"
    ),
    "downstream_remote_reset": Meaning(Failure.CANCELLED, _CLIENT, "it reset the stream"),
    "downstream_connection_termination": Meaning(Failure.CANCELLED, _CLIENT, "it closed the connection"),
    "downstream_protocol_error": Meaning(Failure.CANCELLED, _CLIENT, "what it sent is no HTTP"),
    "stream_idle_timeout": Meaning(Failure.TIMEOUT, _ENDPOINT, "nothing moved for too long"),
    "duration_timeout": Meaning(Failure.TIMEOUT, _ENDPOINT, "the longest that Envoy allows was over"),
    "local_reset": Meaning(Failure.RESET, _ENDPOINT, "Envoy had to reset the stream to it"),
    "upstream_retry_limit_exceeded": Meaning(
        Failure.NONE, _NOBODY, "no attempt was left; how the last one ended, its own flag or its status says"
    ),
    "delay_injected": Meaning(Failure.NONE, _NOBODY, "it was delayed as asked, then went on"),
}
"""By the name of a field of envoy.data.accesslog.v3.ResponseFlags, in the order in which they count."""

_SHIFTED: Final = {"downstream_remote_reset": 28}
"""Envoy's bit 27, drop_overload, has no field."""


def failure_of(flags: Any) -> Failure:
    """Of a ResponseFlags message."""
    return _first({field.name for field, _ in flags.ListFields()})


def failure_of_bits(bits: int, numbers: dict[str, int]) -> Failure:
    """Of the attribute `response.flags`; `numbers` are those of the fields of ResponseFlags."""
    return _first(
        {name for name, number in numbers.items() if bits >> _SHIFTED.get(name, number - 1) & 1 == 1}
    )


def _first(names: set[str]) -> Failure:
    if names:
        for name, meaning in MEANINGS.items():
            if name in names:
                return meaning.failure
    return Failure.NONE
