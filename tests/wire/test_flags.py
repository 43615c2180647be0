"""What each flag of Envoy means: from the entry of the access log to what it says of the endpoint."""

from pathlib import Path
from typing import Any, Final

import pytest
from envoy.data.accesslog.v3 import accesslog_pb2

from sidecar.core.outcome import Failure, Outcome
from sidecar.core.state.tickets import Tickets
from sidecar.core.state.verdict import Verdict, verdict
from sidecar.wire.access_log import READER, decoded
from sidecar.wire.flags import MEANINGS, Whose, failure_of_bits
from tests.builders import an_endpoint
from tests.wire.entries import a_whole_entry, an_entry, batch

FIELDS: Final = {field.name: field.number for field in accesslog_pb2.ResponseFlags.DESCRIPTOR.fields}
BY_ENVOY: Final = (Failure.REFUSED, Verdict.SILENT)
BY_CLIENT: Final = (Failure.CANCELLED, Verdict.SILENT)
EXPECTED: Final[dict[str, tuple[Failure, Verdict]]] = {
    "failed_local_healthcheck": BY_ENVOY,
    "no_healthy_upstream": BY_ENVOY,
    "upstream_request_timeout": (Failure.TIMEOUT, Verdict.FAILED),
    "local_reset": (Failure.RESET, Verdict.FAILED),
    "upstream_remote_reset": (Failure.RESET, Verdict.FAILED),
    "upstream_connection_failure": (Failure.CONNECTION, Verdict.FAILED),
    "upstream_connection_termination": (Failure.RESET, Verdict.FAILED),
    "upstream_overflow": BY_ENVOY,
    "no_route_found": BY_ENVOY,
    "delay_injected": (Failure.NONE, Verdict.SERVED),  # the answer is the endpoint's all the same
    "fault_injected": BY_ENVOY,
    "rate_limited": BY_ENVOY,
    "unauthorized_details": BY_ENVOY,
    "rate_limit_service_error": BY_ENVOY,
    "downstream_connection_termination": BY_CLIENT,
    "upstream_retry_limit_exceeded": (Failure.NONE, Verdict.SERVED),  # by its status, here 200
    "stream_idle_timeout": (Failure.TIMEOUT, Verdict.FAILED),
    "invalid_envoy_request_headers": BY_ENVOY,
    "downstream_protocol_error": BY_CLIENT,
    "upstream_max_stream_duration_reached": (Failure.TIMEOUT, Verdict.FAILED),
    "response_from_cache_filter": BY_ENVOY,
    "no_filter_config_found": BY_ENVOY,
    "duration_timeout": (Failure.TIMEOUT, Verdict.FAILED),
    "upstream_protocol_error": (Failure.RESET, Verdict.FAILED),
    "no_cluster_found": BY_ENVOY,
    "overload_manager": BY_ENVOY,
    "dns_resolution_failure": BY_ENVOY,
    "downstream_remote_reset": BY_CLIENT,
}


def flagged(*flags: str, status: int = 200, details: str = "") -> Any:
    entry = a_whole_entry(1, status)
    entry.response.response_code_details = details
    for flag in flags:
        if flag == "unauthorized_details":
            entry.common_properties.response_flags.unauthorized_details.SetInParent()
        else:
            setattr(entry.common_properties.response_flags, flag, True)
    return entry


def outcome(entry: Any) -> Outcome:
    """By both readers, which agree."""
    read = READER.reports(batch(entry))
    assert read is not None
    (quick,), (slow,) = read, decoded(batch(entry))
    assert vars_of(quick.outcome) == vars_of(slow.outcome)
    return quick.outcome


def vars_of(told: Outcome) -> tuple[object, ...]:
    return (
        *(told.status, told.duration_s, told.failure, told.served, told.attempts),
        *(told.tokens, told.first_byte_s),
    )


def judged(told: Outcome) -> Verdict:
    endpoint = an_endpoint(address="10.0.0.2:33791")
    return verdict(Tickets(0).open("route", "variant", "pool", endpoint, 1, 0.0, 10.0), told)


def test_every_flag_of_envoy_has_a_row_and_an_expectation() -> None:
    """H1: one that a later Envoy adds fails here first."""
    assert set(MEANINGS) == set(FIELDS) == set(EXPECTED)


@pytest.mark.parametrize("flag", FIELDS)
def test_a_flag_says_why_there_was_no_answer_and_whose_fault_it_is(flag: str) -> None:
    """H1"""
    told = outcome(flagged(flag))

    assert (told.failure, judged(told)) == EXPECTED[flag]


@pytest.mark.parametrize("flag", FIELDS)
def test_only_what_is_put_down_to_the_endpoint_speaks_against_it(flag: str) -> None:
    """H1: the table says whose fault it is, and learning does as it says."""
    blamed = judged(outcome(flagged(flag))) is Verdict.FAILED

    assert blamed == (MEANINGS[flag].whose is Whose.ENDPOINT)
    assert (MEANINGS[flag].failure is Failure.NONE) == (MEANINGS[flag].whose is Whose.NOBODY)


@pytest.mark.parametrize("first", FIELDS)
def test_of_two_flags_the_one_counts_whose_row_is_first(first: str) -> None:
    """H1: what befell the endpoint, then what Envoy did, then that the client left."""
    rows = list(MEANINGS)
    for second in FIELDS:
        counts = min(first, second, key=rows.index)

        assert outcome(flagged(first, second)).failure is MEANINGS[counts].failure, second


@pytest.mark.parametrize(
    ("flags", "failure"),
    [
        (("upstream_request_timeout", "upstream_retry_limit_exceeded"), Failure.TIMEOUT),
        (("upstream_connection_failure", "delay_injected"), Failure.CONNECTION),
        (("upstream_connection_failure", "downstream_connection_termination"), Failure.CONNECTION),
        (("local_reset", "downstream_remote_reset"), Failure.CANCELLED),
        (("response_from_cache_filter", "downstream_connection_termination"), Failure.REFUSED),
    ],
)
def test_of_several_flags_the_one_counts_that_tells_most(flags: tuple[str, ...], failure: Failure) -> None:
    """H1: clients leave what does not answer, and Envoy resets what clients leave."""
    assert outcome(flagged(*flags)).failure is failure


@pytest.mark.parametrize("flag", ["stream_idle_timeout", "duration_timeout"])
def test_a_request_that_was_not_complete_in_time_is_the_clients(flag: str) -> None:
    """H1: then Envoy says 408, else 504."""
    assert outcome(flagged(flag, status=408)).failure is Failure.CANCELLED
    assert outcome(flagged(flag, status=504)).failure is Failure.TIMEOUT


@pytest.mark.parametrize(
    ("status", "details", "expected"),
    [
        (500, "via_upstream", Verdict.FAILED),
        (503, "", Verdict.FAILED),
        (200, "via_upstream", Verdict.SERVED),
        (200, "cache.insert_via_upstream", Verdict.SERVED),
        (500, "ext_proc_error_gRPC_error_14", Verdict.SILENT),
        (413, "request_payload_too_large", Verdict.SILENT),
        (403, "rbac_access_denied_matched_policy[none]", Verdict.SILENT),
        (503, "drop_overload", Verdict.SILENT),
        (200, "direct_response", Verdict.SILENT),
        (500, "caf\u00e9", Verdict.SILENT),
    ],
)
def test_without_a_flag_the_details_tell_whether_an_endpoint_answered(
    status: int, details: str, expected: Verdict
) -> None:
    """H1: an error that Envoy made itself is not the endpoint's; flags of a later Envoy are found so too."""
    assert judged(outcome(flagged(status=status, details=details))) is expected


def test_no_status_and_no_flag_tells_nothing() -> None:
    """H1"""
    assert judged(outcome(an_entry(1, status=0))) is Verdict.SILENT


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["downstream_connection_termination"], Verdict.FAILED),
        (["upstream_retry_limit_exceeded"], Verdict.FAILED),
        (["delay_injected"], Verdict.FAILED),
    ],
)
def test_a_failing_status_counts_where_the_flag_does_not_excuse_it(
    flags: list[str], expected: Verdict
) -> None:
    """H1: a client may leave an answer that began with 503; the endpoint gave it."""
    assert judged(outcome(flagged(*flags, status=503, details="via_upstream"))) is expected


def test_what_a_client_left_before_its_end_is_no_success() -> None:
    """H1: it may have stood still."""
    assert judged(outcome(flagged("downstream_remote_reset", status=200))) is Verdict.SILENT


@pytest.mark.parametrize("flag", FIELDS)
def test_the_bits_of_the_attribute_mean_the_same(flag: str) -> None:
    """H1: by these the response phase tells; Envoy has a flag more there, before the last."""
    bit = 28 if flag == "downstream_remote_reset" else FIELDS[flag] - 1

    assert failure_of_bits(1 << bit, FIELDS) is MEANINGS[flag].failure
    assert failure_of_bits((1 << bit) | (1 << 27) | (1 << 40), FIELDS) is MEANINGS[flag].failure


def test_the_page_has_the_table() -> None:
    """H1: rows in the order in which they count."""
    page = Path(__file__).parents[2] / "docs/outcomes.md"
    begin, end = "<!-- flags -->\n", "<!-- end -->"
    table = page.read_text().partition(begin)[2].partition(end)[0]

    rows = ["| flag | failure | put down to | when |", "|---|---|---|---|"]
    rows += [
        f"| `{flag}` | `{row.failure.value}` | {row.whose.value} | {row.when} |"
        for flag, row in MEANINGS.items()
    ]
    assert table == "\n".join(rows) + "\n"
