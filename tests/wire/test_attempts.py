"""The list and the headers by which Envoy tries again."""

from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from google.protobuf.json_format import MessageToDict

from sidecar import names
from sidecar.core.endpoint import Endpoint
from sidecar.core.outcome import Failure
from sidecar.core.plan import Route
from sidecar.core.retries import FIBONACCI, Backoff, Retries
from sidecar.v1 import route_pb2
from sidecar.wire.answers import Answers
from sidecar.wire.attempts import retry_headers
from sidecar.wire.route import answer_message
from tests.builders import ALWAYS, a_request, a_variant, an_endpoint, an_engine, decided
from tests.wire.messages import Stream, request_headers, set_headers

A, B = an_endpoint("a", address="10.0.0.1:80"), an_endpoint("b", address="10.0.0.2:80")
C = an_endpoint("c", address="10.0.1.1:80", cluster="far")
NAMED = an_endpoint("n", address="api.internal:80")
ANYWHERE = an_endpoint("elsewhere", address="", cluster="elsewhere")
ORDERS = frozenset({("shop", "shop", "far"), ("shop", "far", "shop"), ("shop", "elsewhere", "far")})


def retrying(*endpoints: Endpoint, attempts: int = 3) -> Route:
    retries = Retries(attempts, (502, 503), (Failure.CONNECTION,), ("GET",), orders=ORDERS)
    return Route("main", ALWAYS, (a_variant("main", endpoints),), want=attempts, retries=retries)


def sent(route: Route, method: str = "GET") -> tuple[str, str]:
    """(cluster, list of addresses)"""
    answer = Stream(route).ask(request_headers("/", method=method))
    listed = MessageToDict(answer.dynamic_metadata).get(names.ENDPOINT_NAMESPACE, {})
    return set_headers(answer)[names.CLUSTER_HEADER], listed.get(names.ENDPOINT_KEY, "")


def test_there_is_an_address_for_each_attempt() -> None:
    """F1: where the list ends, Envoy would go where it likes."""
    assert sent(retrying(A, B, attempts=2)) == ("shop", "10.0.0.1:80,10.0.0.2:80")
    assert sent(retrying(A, B, attempts=3)) == ("shop", "10.0.0.1:80,10.0.0.2:80,10.0.0.1:80")
    assert sent(retrying(A, attempts=2)) == ("shop", "10.0.0.1:80,10.0.0.1:80")


def test_a_list_across_clusters_goes_to_the_cluster_that_joins_them_in_its_order() -> None:
    """F1"""
    assert sent(retrying(A, B, C)) == ("shop+shop+far", "10.0.0.1:80,10.0.0.2:80,10.0.1.1:80")
    assert sent(retrying(A, C)) == ("shop+far+shop", "10.0.0.1:80,10.0.1.1:80,10.0.0.1:80")
    assert sent(retrying(A, ANYWHERE, C)) == ("shop+elsewhere+far", "10.0.0.1:80,10.0.1.1:80")


def test_an_order_that_envoy_does_not_know_stays_in_the_first_cluster() -> None:
    """F1"""
    assert sent(retrying(C, A, B)) == ("far", "10.0.1.1:80,10.0.1.1:80,10.0.1.1:80")


def test_where_no_order_is_the_lists_own_the_list_is_put_in_one_that_goes_to_most_of_it() -> None:
    """F1: of those that begin with the first choice, and go to nobody that the decision has not named."""
    d = an_endpoint("d", address="10.0.2.1:80", cluster="farther")
    orders = frozenset(
        {
            ("far", "shop", "far"),
            ("far", "shop", "farther"),
            ("shop", "far", "farther"),
            ("farther", "shop", "far"),
            ("farther", "elsewhere", "shop"),
        }
    )

    def listed(*endpoints: Endpoint) -> tuple[str, str]:
        retries = Retries(3, (503,), (), ("GET",), orders=orders)
        return sent(Route("main", ALWAYS, (a_variant("main", endpoints),), want=3, retries=retries))

    assert listed(C, d, A) == ("far+shop+farther", "10.0.1.1:80,10.0.0.1:80,10.0.2.1:80")
    assert listed(C, A, B) == ("far+shop+far", "10.0.1.1:80,10.0.0.1:80,10.0.1.1:80")
    assert listed(A, d, C) == ("shop+far+farther", "10.0.0.1:80,10.0.1.1:80,10.0.2.1:80")
    assert listed(d, A) == ("farther", "10.0.2.1:80,10.0.2.1:80,10.0.2.1:80")
    assert listed(A, B) == ("shop", "10.0.0.1:80,10.0.0.2:80,10.0.0.1:80")


def test_a_request_that_is_sent_once_stays_in_its_cluster() -> None:
    """F4"""
    assert sent(retrying(A, B, C), method="POST") == ("shop", "10.0.0.1:80,10.0.0.2:80")


def test_of_host_names_only_the_first_is_named() -> None:
    """F1: Envoy finds an endpoint by its name, but follows no list of names."""
    assert sent(retrying(NAMED, A)) == ("shop", "api.internal:80")
    assert sent(retrying(A, NAMED, B)) == ("shop", "10.0.0.1:80")


def test_the_headers_say_when_and_how_often() -> None:
    """F4"""
    answer = Stream(retrying(A, B)).ask(request_headers("/"))
    headers = {name: value for name, value in set_headers(answer).items() if name.startswith("x-envoy-")}

    assert headers == {
        "x-envoy-retry-on": "retriable-status-codes,connect-failure,refused-stream,reset-before-request",
        "x-envoy-max-retries": "2",
        "x-envoy-retriable-status-codes": "502,503",
    }


def test_a_request_that_is_sent_once_has_none_of_them() -> None:
    """F4: also where the answers before it had them."""
    engine, answers = an_engine(retrying(A)), Answers()
    for method, wanted in (("GET", True), ("POST", False), ("GET", True)):
        encoded = answers.encode(decided(engine, a_request(method=method)))
        answer = ext_proc.ProcessingResponse.FromString(encoded)
        assert (names.RETRY_ON_HEADER in set_headers(answer)) is wanted, method


def test_timeouts_and_resets_are_one_for_envoy() -> None:
    """F4"""
    retries = Retries(2, (), (Failure.TIMEOUT, Failure.RESET), ("GET",), per_try_s=0.25)

    assert dict(retry_headers(retries)) == {
        "x-envoy-retry-on": "reset",
        "x-envoy-max-retries": "1",
        "x-envoy-upstream-rq-per-try-timeout-ms": "250",
    }


def test_a_caller_is_told_all_of_it() -> None:
    """F3 V2"""
    retries = Retries(
        4,
        (503,),
        (Failure.TIMEOUT, Failure.CONNECTION, Failure.RESET),
        ("GET",),
        per_try_s=2.0,
        backoff=Backoff(FIBONACCI, 0.1, 1.0, 5.0, jitter=False),
    )
    engine = an_engine(Route("main", ALWAYS, (a_variant(),), retries=retries))

    retry = answer_message(decided(engine)).decision.retry

    assert retry == route_pb2.RetryPolicy(
        attempts=4,
        statuses=[503],
        failures=[route_pb2.FAILURE_TIMEOUT, route_pb2.FAILURE_CONNECTION, route_pb2.FAILURE_RESET],
        per_try_timeout_seconds=2.0,
        backoff=route_pb2.Backoff(
            kind=route_pb2.BACKOFF_KIND_FIBONACCI, base_seconds=0.1, factor=1.0, max_seconds=5.0
        ),
    )


def test_a_caller_is_told_nothing_where_nothing_may_be_sent_again() -> None:
    """F4 V2"""
    assert not answer_message(decided(an_engine())).decision.HasField("retry")


def test_a_ticket_knows_in_which_order_envoy_asks() -> None:
    """H1 F1: else attempts would be put down to endpoints that were never asked; also of a kept answer."""
    retries = Retries(3, (503,), (), ("GET",), orders=frozenset({("far", "shop", "far")}))
    answers = Answers()

    def asked(*endpoints: Endpoint) -> list[str] | None:
        route = Route("main", ALWAYS, (a_variant("main", endpoints),), want=3, retries=retries)
        decision = decided(an_engine(route))
        answers.encode(decision)
        assert decision.ticket is not None
        return None if decision.ticket.asked is None else [each.id for each in decision.ticket.asked]

    for _ in range(2):
        assert asked(C, A, B) == ["c", "a", "c"]
        assert asked(A, C) == ["a", "a", "a"]
        assert asked(C, A) is None
        assert asked(A, B) is None
