"""When what was answered last is given in place of asking an endpoint."""

from sidecar.core.decision import Decision
from sidecar.core.engine import Engine
from sidecar.core.plan import Route
from sidecar.core.refusal import Reason, Refusal
from sidecar.core.reply import Reply
from sidecar.core.request import Wishes, headers_of
from sidecar.core.state.answers import Keeping
from sidecar.core.state.standing import DEGRADED, GONE, OUT, RESTING, Mark
from sidecar.names import LAST_GOOD_HEADER
from tests.builders import ALWAYS, a_request, a_variant, an_engine

KEEPING = Keeping(60.0, 100, 10, 1 << 20, 0.0, ())


def an_engine_that_kept(body: bytes = b"old") -> Engine:
    engine = an_engine(Route("r", ALWAYS, (a_variant(),), keeping=KEEPING))
    question = KEEPING.question(a_request("/a", ends=True))
    engine.state.last_good.keep("r", question, headers_of([("x-a", b"1")]), body, 1.0)
    return engine


def all_are(engine: Engine, level: int) -> None:
    for endpoint in engine.plan.routes[0].variants[0].endpoints:
        engine.state.standing.mark(endpoint.key, "test", Mark(level, "a test"), 1.0)


def test_an_endpoint_is_asked_while_there_is_one() -> None:
    """H6: also a degraded one."""
    engine = an_engine_that_kept()
    assert isinstance(engine.decide(a_request("/a", ends=True), 2.0), Decision)

    all_are(engine, DEGRADED)

    assert isinstance(engine.decide(a_request("/a", ends=True), 2.0), Decision)


def test_the_answer_is_given_with_its_age_when_all_are_out() -> None:
    """H6"""
    engine = an_engine_that_kept()
    all_are(engine, OUT)

    reply = engine.decide(a_request("/a", ends=True), 8.5)

    assert isinstance(reply, Reply)
    assert (reply.status, reply.data, reply.route) == (200, b"old", "r")
    assert reply.headers == (("x-a", "1"), ("age", "7"), (LAST_GOOD_HEADER, "7"))
    assert len(engine.state.tickets) == 0


def test_nobody_is_tried_for_what_has_an_answer() -> None:
    """H6: a request without one is the trial that it would be anyhow."""
    engine = an_engine_that_kept()
    all_are(engine, RESTING)

    assert isinstance(engine.decide(a_request("/a", ends=True), 2.0), Reply)
    assert isinstance(engine.decide(a_request("/b", ends=True), 2.0), Decision)


def test_an_answer_that_is_too_old_is_not_given() -> None:
    """H6"""
    engine = an_engine_that_kept()
    all_are(engine, OUT)

    refusal = engine.decide(a_request("/a", ends=True), 62.0)

    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.NO_HEALTHY_ENDPOINT


def test_who_took_the_endpoints_away_on_purpose_gets_a_refusal() -> None:
    """H6: they are gone, and not ill."""
    engine = an_engine_that_kept()
    all_are(engine, GONE)

    assert isinstance(engine.decide(a_request("/a", ends=True), 2.0), Refusal)


def test_a_request_that_may_not_have_every_endpoint_gets_no_answer_of_just_any() -> None:
    """H6"""
    engine = an_engine_that_kept()
    all_are(engine, OUT)
    request = a_request("/a", ends=True)
    request.wishes = Wishes(exclude=("other",))

    assert isinstance(engine.decide(request, 2.0), Refusal)
    assert isinstance(engine.decide(a_request("/a", ends=True), 2.0), Reply)


def test_a_request_that_prefers_endpoints_gets_none_either() -> None:
    """H6: it asks for another answer than everybody."""
    engine = an_engine_that_kept()
    all_are(engine, OUT)
    request = a_request("/a", ends=True)
    request.wishes = Wishes(prefer=("a",))

    assert isinstance(engine.decide(request, 2.0), Refusal)


def test_explaining_says_the_same_and_changes_nothing() -> None:
    """H6"""
    engine = an_engine_that_kept()
    all_are(engine, OUT)

    assert isinstance(engine.explain(a_request("/a", ends=True), 2.0).answer, Reply)
    assert len(engine.state.last_good) == 1
