"""What a route does besides sending requests to endpoints, from the file to the plan."""

import pytest

from sidecar.core.plan import Route
from sidecar.core.refusal import Reason, Refusal
from sidecar.core.reply import Redirect, Reply
from tests.builders import a_request
from tests.config.files import TWO_CLUSTERS, a_route, loaded


def only(text: str) -> Route:
    (route,) = loaded(text).plan.routes
    return route


@pytest.mark.parametrize(
    ("reject", "reason", "status", "message"),
    [
        ("{reason: rate_limited}", Reason.RATE_LIMITED, 429, "too many requests"),
        ("{reason: model_not_allowed}", Reason.MODEL_NOT_ALLOWED, 403, "this model is not allowed"),
        ("{reason: invalid_request}", Reason.INVALID_REQUEST, 400, "the request is not valid"),
        ("{reason: maintenance, status: 500}", Reason.MAINTENANCE, 500, "down for maintenance"),
        ("{reason: closed on Sundays}", Reason.REJECTED, 403, "closed on Sundays"),
    ],
)
def test_a_route_refuses_for_a_known_reason_or_in_its_own_words(
    reject: str, reason: Reason, status: int, message: str
) -> None:
    """A2"""
    direct = only(a_route(f"reject: {reject}")).direct

    assert isinstance(direct, Refusal)
    assert (direct.reason, direct.status, direct.message, direct.route) == (reason, status, message, "r")


def test_a_refusal_may_have_a_text_of_its_own() -> None:
    """A2"""
    direct = only(a_route("reject: {reason: maintenance, body: back at noon}")).direct

    assert isinstance(direct, Refusal)
    assert direct.body == "back at noon"


def test_a_fixed_answer_has_its_type_and_headers() -> None:
    """A7"""
    direct = only(a_route("respond: {body: 'User-agent: *', headers: {X-A: b}}")).direct

    assert isinstance(direct, Reply)
    assert (direct.status, direct.body) == (200, "User-agent: *")
    assert dict(direct.headers) == {"x-a": "b", "content-type": "text/plain"}


@pytest.mark.parametrize(
    ("redirect", "location"),
    [
        ("{path: /new}", "/new?a=1"),
        ("{path: {regex: '^/old', replace: /new}}", "/new/x?a=1"),
        ("{scheme: https, keep_query: false}", "https://shop.test/old/x"),
        ("{host: 'www.shop.test'}", "http://www.shop.test/old/x?a=1"),
    ],
)
def test_a_redirect_says_where(redirect: str, location: str) -> None:
    """A7"""
    direct = only(a_route(f"redirect: {redirect}")).direct

    assert isinstance(direct, Redirect)
    assert direct.reply(a_request("/old/x?a=1")).headers == (("location", location),)


def test_a_step_sets_the_priority_and_headers() -> None:
    """A3"""
    route = only(a_route("set: {priority: high}, headers: {request: {set: {X-Vip: '1'}}}"))

    assert route.step
    assert (route.set_priority, route.request_headers.set) == ("high", (("x-vip", "1"),))


def test_faults_mirrors_and_timeouts_reach_the_plan() -> None:
    """A5, A6, A7"""
    route = only(
        a_route(
            "to: other, timeout: 300s, mirror: {to: shop, share: 5%}, "
            "fault: {delay: {share: 10%, for: 5s}, abort: {share: 0.01%, status: 500}}",
            clusters=TWO_CLUSTERS,
        )
    )

    happening = route.happening
    assert happening is not None
    assert route.timeout_s == 300.0
    assert (happening.delay_ms, happening.delay_share) == (5000, 0.1)
    assert (happening.abort_status, happening.abort_share) == (500, 0.0001)
    assert (happening.mirror, happening.mirror_share) == ("shop", 0.05)


def test_a_cluster_that_is_only_mirrored_to_is_used() -> None:
    """A7"""
    text = a_route("to: other, mirror: {to: shop}", clusters=TWO_CLUSTERS)

    assert loaded(text).notes == []


def test_labels_are_carried_untouched() -> None:
    """A8"""
    route = only(a_route('to: shop, labels: {cpu: 4000m, gpu: "1", sla: 99.9%, metrics_retention: 30d}'))

    assert dict(route.labels) == {"cpu": "4000m", "gpu": "1", "sla": "99.9%", "metrics_retention": "30d"}


def test_a_route_for_a_share_of_what_matches() -> None:
    route = only(a_route("to: shop, share: 10%, sticky: {by: user}"))

    assert (route.share, route.usual, len(route.sticky)) == (0.1, False, 1)


def test_routes_behind_a_step_are_reached() -> None:
    """A3"""
    text = "clusters: {shop: {}}\nroutes:\n  - {name: s, set: {priority: high}}\n  - {name: r, to: shop}\n"

    assert loaded(text).notes == []
