"""Outcomes out of Envoy's access log entries."""

from typing import Any

import pytest
from envoy.service.accesslog.v3 import als_pb2

from sidecar.core.endpoint import Endpoint
from sidecar.core.outcome import Failure, Outcome
from sidecar.wire.access_log import READER, Undecodable, decoded, parsed_ticket, reports
from tests.wire.entries import an_entry, batch


def outcome(entry: Any) -> Outcome:
    (report,) = reports(batch(entry))
    return report.outcome


def tickets(*entries: Any) -> list[int]:
    return [report.ticket for report in reports(batch(*entries))]


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


def test_the_beginning_of_an_answer_is_told_apart_from_its_end() -> None:
    """H1: a stream of ten seconds that began after 50 ms is quick; a slow upload is not the endpoint's."""
    entry = an_entry(1)
    common = entry.common_properties
    common.duration.FromMilliseconds(10_000)
    common.time_to_last_upstream_tx_byte.FromMilliseconds(4_000)
    common.time_to_first_upstream_rx_byte.FromMilliseconds(4_050)
    read = READER.reports(batch(entry))

    assert read is not None
    for (report,) in (read, decoded(batch(entry))):
        told = report.outcome
        assert told.duration_s == 10.0
        assert told.first_byte_s == pytest.approx(0.05)
        assert told.latency_s() == told.first_byte_s


@pytest.mark.parametrize(
    ("asked_ms", "began_ms", "expected"),
    [
        (None, 50, 0.05),
        (100, 50, 0.05),  # it answered before it had read all
        (100, None, -1.0),
        (None, None, -1.0),
    ],
)
def test_the_beginning_is_known_where_there_was_one(
    asked_ms: int | None, began_ms: int | None, expected: float
) -> None:
    """H1"""
    entry = an_entry(1)
    common = entry.common_properties
    if asked_ms is not None:
        common.time_to_last_upstream_tx_byte.FromMilliseconds(asked_ms)
    if began_ms is not None:
        common.time_to_first_upstream_rx_byte.FromMilliseconds(began_ms)

    assert outcome(entry).first_byte_s == expected


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(-1, 0), (0, -1), (-5, 999_999_999), (1 << 40, 0), (-(1 << 62), 0)]
)
def test_a_time_by_a_clock_that_ran_backwards_or_jumped_is_unknown(seconds: int, nanos: int) -> None:
    """H1: learnt as it is, it would make an endpoint look quick or slow for long."""
    entry = an_entry(1)
    for field in ("duration", "time_to_last_upstream_tx_byte", "time_to_first_upstream_rx_byte"):
        getattr(entry.common_properties, field).seconds = seconds
        getattr(entry.common_properties, field).nanos = nanos

    told = outcome(entry)
    assert (told.duration_s, told.first_byte_s, told.latency_s()) == (-1.0, -1.0, -1.0)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("0", 0),
        ("1234", 1234),
        ("100000000", 100_000_000),
        ("100000001", -1),
        ("9" * 5000, -1),
        ("", -1),
        ("-1", -1),
        ("+1", -1),
        ("1.5", -1),
        ("1 2", -1),
        ("NaN", -1),
        ("\u0661", -1),
        ("\u00b2", -1),
    ],
)
def test_reads_the_tokens_that_an_endpoint_told(text: str, tokens: int) -> None:
    """H1 B1: what is no number is unknown, and the estimate stays."""
    entry = an_entry(1)
    entry.common_properties.metadata.filter_metadata["sidecar.tokens"].update({"total": text})
    read = READER.reports(batch(entry))

    assert read is not None
    for (report,) in (read, decoded(batch(entry))):
        assert report.outcome.tokens == tokens


@pytest.mark.parametrize("value", [5.0, None, ["5"], True])
def test_tokens_that_are_no_text_are_unknown(value: object) -> None:
    """H1: the filter of Envoy writes text."""
    entry = an_entry(1)
    entry.common_properties.metadata.filter_metadata["sidecar.tokens"].update({"total": value})

    assert outcome(entry).tokens == -1


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
