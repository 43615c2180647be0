"""What a message with the headers of a response says of how the request ended."""

from typing import Any

import pytest

from sidecar.core.outcome import Failure, Outcome
from sidecar.wire.response import response_of
from tests.wire.messages import Stream, header_map, request_headers, response_headers


def told(*pairs: tuple[str, str | bytes], **attributes: Any) -> tuple[Outcome, str]:
    message = response_headers()
    message.response_headers.headers.CopyFrom(header_map((":status", "200"), *pairs))
    if attributes:
        message.attributes["envoy.filters.http.ext_proc"].update(
            {name.replace("__", "."): value for name, value in attributes.items()}
        )
    return response_of(message, "x-usage-tokens")


def test_attributes_say_who_served_and_after_how_many_attempts() -> None:
    """H1 F1"""
    outcome, _ = told(upstream__address="10.0.0.2:80", upstream__request_attempt_count=3)

    assert (outcome.status, outcome.served, outcome.attempts) == (200, "10.0.0.2:80", 3)


@pytest.mark.parametrize(
    ("attributes", "served", "attempts"),
    [
        ({}, "", 1),
        ({"upstream__address": "10.0.0.2:80"}, "10.0.0.2:80", 1),
        ({"upstream__request_attempt_count": 3}, "", 1),
        ({"upstream__address": 5, "upstream__request_attempt_count": "x"}, "", 1),
        ({"upstream__address": "a:1", "upstream__request_attempt_count": 0}, "a:1", 1),
        ({"upstream__address": "a:1", "upstream__request_attempt_count": float("nan")}, "a:1", 1),
        ({"upstream__address": "a:1", "upstream__request_attempt_count": 1e300}, "a:1", 1),
    ],
)
def test_attributes_may_be_missing_or_make_no_sense(
    attributes: dict[str, Any], served: str, attempts: int
) -> None:
    """checklist 14"""
    outcome, _ = told(**attributes)

    assert (outcome.served, outcome.attempts) == (served, attempts)


def test_a_gateway_says_in_metadata_who_served() -> None:
    """checklist 27"""
    message = response_headers()
    message.metadata_context.filter_metadata["envoy.lb"].update(
        {"x-gateway-destination-endpoint-served": "10.0.0.3:80"}
    )

    assert response_of(message)[0].served == "10.0.0.3:80"


def test_an_ipv6_address_in_metadata_may_be_spelt_in_any_way() -> None:
    """checklist 27"""
    message = response_headers()
    message.metadata_context.filter_metadata["envoy.lb"].update(
        {"x-gateway-destination-endpoint-served": "[0:0::1]:80"}
    )

    assert response_of(message)[0].served == "[::1]:80"


@pytest.mark.parametrize(
    ("pairs", "load"),
    [
        ([], ""),
        ([("endpoint-load-metrics", "TEXT cpu_utilization=0.5")], "TEXT cpu_utilization=0.5"),
        ([("endpoint-load-metrics-bin", "AAAA")], "BIN AAAA"),
        ([("endpoint-load-metrics", b"TEXT \xff")], "TEXT \xff"),
        ([("endpoint-load-metrics", "first"), ("endpoint-load-metrics", "second")], "first"),
    ],
)
def test_a_load_report_is_handed_on_as_it_came(pairs: list[tuple[str, str]], load: str) -> None:
    """H8"""
    assert told(*pairs)[1] == load


def test_a_client_does_not_see_a_load_report() -> None:
    """H8: the answer to the response takes it away, and only where it is."""
    stream = Stream(feedback=True)
    stream.ask(request_headers())
    message = response_headers()
    message.response_headers.headers.headers.add(key="endpoint-load-metrics", raw_value=b"TEXT a=1")

    answer = stream.ask(message)

    removed = answer.response_headers.response.header_mutation.remove_headers
    assert list(removed) == ["endpoint-load-metrics", "endpoint-load-metrics-bin"]
    ((outcome, load),) = stream.router.ended
    assert (outcome.status, load) == (200, "TEXT a=1")


@pytest.mark.parametrize(
    ("flags", "details", "failure"),
    [
        (0, "via_upstream", Failure.NONE),
        (0, "", Failure.NONE),
        (0, "direct_response", Failure.REFUSED),
        (1 << 5, "upstream_reset_before_response_started{remote_connection_failure}", Failure.CONNECTION),
        (1 << 2 | 1 << 15, "upstream_per_try_timeout", Failure.TIMEOUT),
        (1 << 15, "via_upstream", Failure.NONE),
        (1 << 7, "upstream_reset_before_response_started{overflow}", Failure.REFUSED),
        (1 << 10, "fault_filter_abort", Failure.REFUSED),
        (1 << 9, "via_upstream", Failure.NONE),
        ("x", "via_upstream", Failure.NONE),
        (float("nan"), "via_upstream", Failure.NONE),
        (1e300, "via_upstream", Failure.NONE),
        (-1, "via_upstream", Failure.NONE),
        (float("inf"), 5, Failure.NONE),
    ],
)
def test_attributes_tell_what_failed(flags: object, details: object, failure: Failure) -> None:
    """H1: by the same table as the access log; else a limit of Envoy's would be put down to the endpoint."""
    outcome, _ = told(response__flags=flags, response__code_details=details)

    assert outcome.failure is failure


@pytest.mark.parametrize(
    ("pairs", "tokens"),
    [
        ([], -1),
        ([("x-usage-tokens", "1234")], 1234),
        ([("x-usage-tokens", "12.5")], -1),
        ([("x-usage-tokens", b"\xff")], -1),
        ([("x-other", "5")], -1),
        ([("x-usage-tokens", "1"), ("x-usage-tokens", "2")], 2),
    ],
)
def test_a_header_tells_tokens(pairs: list[tuple[str, str | bytes]], tokens: int) -> None:
    """H1: the last one counts, as it does where Envoy reads it."""
    assert told(*pairs)[0].tokens == tokens


def test_no_header_tells_tokens_where_none_is_named() -> None:
    """H1"""
    message = response_headers()
    message.response_headers.headers.headers.add(key="", raw_value=b"5")

    assert response_of(message)[0].tokens == -1


def test_a_stream_that_ends_without_a_response_says_that_the_client_left() -> None:
    """H1: the ticket need not wait for the end of its lease."""
    stream = Stream(feedback=True)
    stream.ask(request_headers())
    stream.machine.closed()
    stream.machine.closed()

    assert len(stream.router.deserted) == 1


@pytest.mark.parametrize("feedback", [True, False])
def test_a_stream_whose_response_came_or_goes_elsewhere_says_nothing_at_its_end(*, feedback: bool) -> None:
    """H1"""
    stream = Stream(feedback=feedback)
    stream.ask(request_headers())
    if feedback:
        stream.ask(response_headers())
    stream.machine.closed()

    assert stream.router.deserted == []
