"""Outcomes out of Envoy's access log entries."""

from typing import Any

import pytest
from envoy.data.accesslog.v3 import accesslog_pb2
from envoy.service.accesslog.v3 import als_pb2

from sidecar.core.endpoint import Endpoint
from sidecar.core.outcome import Failure, Outcome
from sidecar.wire.access_log import READER, Undecodable, decoded, parsed_ticket, reports
from tests.wire.entries import an_entry, batch

ANSWERED_BY_ENVOY = Failure.REFUSED
FLAGS: dict[str, Failure] = {
    "failed_local_healthcheck": Failure.NONE,
    "no_healthy_upstream": ANSWERED_BY_ENVOY,
    "upstream_request_timeout": Failure.TIMEOUT,
    "local_reset": Failure.RESET,
    "upstream_remote_reset": Failure.RESET,
    "upstream_connection_failure": Failure.CONNECTION,
    "upstream_connection_termination": Failure.RESET,
    "upstream_overflow": ANSWERED_BY_ENVOY,
    "no_route_found": ANSWERED_BY_ENVOY,
    "delay_injected": Failure.NONE,  # the answer is the endpoint's all the same
    "fault_injected": ANSWERED_BY_ENVOY,
    "rate_limited": Failure.NONE,
    "unauthorized_details": Failure.NONE,
    "rate_limit_service_error": Failure.NONE,
    "downstream_connection_termination": Failure.CANCELLED,
    "upstream_retry_limit_exceeded": Failure.NONE,  # the last attempt's own flag says what failed
    "stream_idle_timeout": Failure.TIMEOUT,
    "invalid_envoy_request_headers": Failure.NONE,
    "downstream_protocol_error": ANSWERED_BY_ENVOY,
    "upstream_max_stream_duration_reached": Failure.TIMEOUT,
    "response_from_cache_filter": Failure.NONE,
    "no_filter_config_found": Failure.NONE,
    "duration_timeout": Failure.TIMEOUT,
    "upstream_protocol_error": Failure.RESET,
    "no_cluster_found": ANSWERED_BY_ENVOY,
    "overload_manager": ANSWERED_BY_ENVOY,
    "dns_resolution_failure": ANSWERED_BY_ENVOY,
    "downstream_remote_reset": Failure.CANCELLED,
}
"""Every flag that Envoy knows. A new one must be judged here before the test passes."""


def outcome(entry: Any) -> Outcome:
    (report,) = reports(batch(entry))
    return report.outcome


def tickets(*entries: Any) -> list[int]:
    return [report.ticket for report in reports(batch(*entries))]


def test_every_flag_of_envoy_has_been_judged() -> None:
    """H1"""
    assert set(FLAGS) == {field.name for field in accesslog_pb2.ResponseFlags.DESCRIPTOR.fields}


@pytest.mark.parametrize(("flag", "failure"), FLAGS.items())
def test_a_flag_says_why_there_was_no_complete_answer(flag: str, failure: Failure) -> None:
    """H1"""
    entry = an_entry(1)
    flags = entry.common_properties.response_flags
    if flag == "unauthorized_details":
        getattr(flags, flag).SetInParent()
    else:
        setattr(flags, flag, True)

    assert outcome(entry).failure is failure


def test_no_flag_is_a_complete_answer_whatever_its_status() -> None:
    """H1: a 500 of the endpoint is an answer."""
    assert outcome(an_entry(1, status=500)).failure is Failure.NONE


def test_of_several_flags_one_that_tells_a_failure_counts() -> None:
    """H1: a delay that was injected says nothing of the reset that came after it."""
    entry = an_entry(1)
    entry.common_properties.response_flags.delay_injected = True
    entry.common_properties.response_flags.downstream_remote_reset = True

    assert outcome(entry).failure is Failure.CANCELLED


def test_reads_status_duration_server_and_attempts() -> None:
    """H1"""
    entry = an_entry(0xABC, status=503)
    common = entry.common_properties
    common.duration.FromMilliseconds(1_250)
    common.upstream_remote_address.socket_address.address = "10.0.0.2"
    common.upstream_remote_address.socket_address.port_value = 8080
    common.upstream_request_attempt_count = 3
    (report,) = reports(batch(entry))

    assert report.ticket == 0xABC
    told = report.outcome
    assert (told.status, told.duration_s, told.served, told.attempts) == (503, 1.25, "10.0.0.2:8080", 3)


@pytest.mark.parametrize(
    ("address", "served"),
    [
        ("::1", "[::1]:8080"),
        ("2001:db8:0:0::1", "[2001:db8::1]:8080"),
        ("::ffff:10.0.0.1", "[::ffff:10.0.0.1]:8080"),
        ("10.0.0.1", "10.0.0.1:8080"),
    ],
)
def test_who_served_is_written_as_the_plan_has_it(address: str, served: str) -> None:
    """H1: IPv6 addresses have brackets there, whichever way the message is read."""
    entry = an_entry(1)
    socket = entry.common_properties.upstream_remote_address.socket_address
    socket.address, socket.port_value = address, 8080
    read = READER.reports(batch(entry))

    assert read is not None
    for (report,) in (read, decoded(batch(entry))):
        assert report.outcome.served == served
        assert Endpoint("shop", "a", served).address == served


def test_an_entry_that_tells_nothing_more_has_plain_defaults() -> None:
    """H1: no status is no answer, no duration is unknown, one attempt."""
    told = outcome(an_entry(1, status=0))

    assert (told.status, told.served, told.attempts) == (0, "", 1)
    assert told.duration_s < 0


def test_takes_the_time_to_the_last_byte_where_there_is_no_duration() -> None:
    """H1"""
    entry = an_entry(1)
    entry.common_properties.time_to_last_downstream_tx_byte.FromMilliseconds(20)

    assert outcome(entry).duration_s == pytest.approx(0.02)


def other_namespace() -> Any:
    entry = an_entry(0)
    entry.common_properties.metadata.filter_metadata["other"].update({"ticket": f"{1:016x}"})
    return entry


def with_value(value: Any) -> Any:
    entry = an_entry(0)
    entry.common_properties.metadata.filter_metadata["sidecar"].update({"ticket": value})
    return entry


FOREIGN = {
    "no metadata": an_entry(0),
    "another namespace": other_namespace(),
    "a number": with_value(1.0),
    "a list": with_value(["0000000000000001"]),
    "nothing": with_value(None),
    "empty": with_value(""),
    "too short": with_value("1"),
    "too long": with_value("0" * 16 + "1"),
    "no digits": with_value("ticket of a fool"),
    "a sign": with_value("-000000000000001"),
    "underscores": with_value("0000_0000_0000_1"),
    "a prefix": with_value("0x00000000000001"),
    "digits of another script": with_value("\u0660" * 15 + "\u0661"),
    "zero": with_value("0" * 16),
}


@pytest.mark.parametrize("entry", FOREIGN.values(), ids=FOREIGN.keys())
def test_an_entry_without_a_ticket_of_ours_is_foreign(entry: Any) -> None:
    """H1, X4"""
    assert tickets(entry) == [0]


def test_reads_what_a_decision_wrote() -> None:
    """H1"""
    for number in (1, 0xFFFFF0000000001, 2**60 - 1):
        assert parsed_ticket(f"{number:016x}") == number


def test_an_intermediate_entry_tells_nothing_yet() -> None:
    """H1: the request is still going on, and its ticket must stay open."""
    going_on = an_entry(1)
    going_on.common_properties.intermediate_log_entry = True

    assert tickets(going_on, an_entry(2)) == [2]


def test_a_batch_is_read_in_its_order() -> None:
    """H1"""
    assert tickets(*(an_entry(number) for number in (3, 0, 1, 3))) == [3, 0, 1, 3]


@pytest.mark.parametrize(
    "message",
    [
        als_pb2.StreamAccessLogsMessage(),
        als_pb2.StreamAccessLogsMessage(tcp_logs={"log_entry": [{}]}),
        als_pb2.StreamAccessLogsMessage(identifier={"log_name": "sidecar"}),
    ],
    ids=["empty", "of TCP", "only who sends"],
)
def test_a_message_without_http_entries_tells_nothing(message: Any) -> None:
    """H1"""
    assert list(reports(message.SerializeToString())) == []


@pytest.mark.parametrize("data", [b"\xff", b"\x12\x05abc", b"not a message"])
def test_says_so_when_the_bytes_are_no_message(data: bytes) -> None:
    """H1"""
    with pytest.raises(Undecodable, match=r"^not an envoy\.service\.accesslog\.v3\.StreamAccessLogsMessage$"):
        reports(data)
