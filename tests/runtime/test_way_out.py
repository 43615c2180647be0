"""A bug becomes the configured answer, never a broken stream."""

from dataclasses import replace

import grpc
from structlog.testing import capture_logs

from sidecar.config.load import Loaded
from sidecar.core.outcome import Outcome
from sidecar.core.plan import Plan
from sidecar.core.request import Request
from sidecar.core.rules.base import Matcher
from sidecar.core.state.base import Learner
from sidecar.core.state.tickets import Ticket
from tests.builders import a_route, a_variant
from tests.runtime.sidecars import SMALL, Sidecar, with_sidecar
from tests.waiting import until_in_loop
from tests.wire.entries import an_entry, batch
from tests.wire.messages import phase_of, request_headers, response_headers, set_headers

REFUSES = SMALL
GOES_TO_SHOP = SMALL + "on_error: shop\n"
FEEDBACK = SMALL + "envoy: {feedback: response}\n"


class Broken(Matcher):
    def matches(self, request: Request) -> bool:
        raise ZeroDivisionError("a bug in a matcher")

    def text(self) -> str:
        return "a bug"

    def seen(self, request: Request) -> str:
        return "nothing"


class BrokenLearner(Learner):
    def settled(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        raise ZeroDivisionError("a bug in a learner")


def broken(loaded: Loaded) -> Loaded:
    """The same file, but its first route's matcher raises."""
    good = loaded.plan
    plan = Plan(1, [a_route("broken", Broken(), priority=1), *good.routes], good.lease_s, good.on_error)
    return replace(loaded, plan=plan)


def test_a_bug_refuses_the_request_where_nothing_else_is_configured() -> None:
    """checklist 17: closed with a status."""

    async def ask(sidecar: Sidecar) -> None:
        exchange = sidecar.caller.process()
        answer = await exchange.ask(request_headers("/shop"))
        assert phase_of(answer) == "immediate_response"
        assert answer.immediate_response.status.code == 500
        assert answer.immediate_response.details == "sidecar_internal"
        assert await exchange.finish() is grpc.StatusCode.OK

    with_sidecar(ask, REFUSES, broken)


def test_a_bug_sends_the_request_to_the_cluster_that_is_configured() -> None:
    """checklist 17: open with a default; the whole cluster, and no outcome is awaited."""

    async def ask(sidecar: Sidecar) -> None:
        exchange = sidecar.caller.process()
        answer = await exchange.ask(request_headers("/shop"))
        assert set_headers(answer) == {"x-sidecar-cluster": "shop", "x-sidecar-route": "on_error"}
        assert "envoy.lb" not in answer.dynamic_metadata
        assert answer.dynamic_metadata["sidecar"]["ticket"] == "0" * 16
        assert phase_of(await exchange.ask(response_headers())) == "response_headers"
        assert await exchange.finish() is grpc.StatusCode.OK
        assert sidecar.sample("sidecar_tickets_open") == 0

    with_sidecar(ask, GOES_TO_SHOP, broken)


def test_a_bug_is_answered_over_route_service_too() -> None:
    """checklist 17, V1"""

    async def refused(sidecar: Sidecar) -> None:
        assert (await sidecar.caller.route("/shop")).refusal.status == 500

    async def sent_on(sidecar: Sidecar) -> None:
        decision = (await sidecar.caller.route("/shop")).decision
        assert (decision.cluster, decision.route, decision.ticket) == ("shop", "on_error", 0)

    with_sidecar(refused, REFUSES, broken)
    with_sidecar(sent_on, GOES_TO_SHOP, broken)


def test_bugs_are_counted_and_the_first_ones_told() -> None:
    """checklist 17, O4: a bug may hit every request, and must not fill the log."""

    async def ask(sidecar: Sidecar) -> None:
        with capture_logs() as lines:
            for _ in range(50):
                await sidecar.caller.route("/shop")
        assert sidecar.sample("sidecar_decision_failures_total") == 50
        assert sidecar.sample("sidecar_refusals_total", reason="internal") == 50
        assert sidecar.sample("sidecar_decision_seconds_count") == 50
        told = [line for line in lines if line["event"] == "decision_failed"]
        assert len(told) == 10
        assert told[0]["error"] == "ZeroDivisionError('a bug in a matcher')"

    with_sidecar(ask, REFUSES, broken)


def test_a_reload_mends_what_was_broken() -> None:
    """checklist 17, V4"""

    async def ask(sidecar: Sidecar) -> None:
        assert (await sidecar.caller.route("/shop")).refusal.status == 500
        sidecar.parts.router.swap(Plan(2, [a_route("mended")]))
        assert (await sidecar.caller.route("/shop")).decision.route == "mended"

    with_sidecar(ask, REFUSES, broken)


def test_a_reload_changes_the_way_out() -> None:
    """checklist 17, V4"""

    async def ask(sidecar: Sidecar) -> None:
        assert (await sidecar.caller.route("/shop")).refusal.status == 500
        sidecar.parts.router.swap(Plan(2, [a_route("broken", Broken())], on_error=a_variant("spare")))
        decision = (await sidecar.caller.route("/shop")).decision
        assert (decision.route, decision.variant, decision.generation) == ("on_error", "spare", 2)

    with_sidecar(ask, REFUSES, broken)


def test_a_bug_while_learning_does_not_break_the_response() -> None:
    """checklist 17: the answer to Envoy does not hang on what is learnt."""

    async def ask(sidecar: Sidecar) -> None:
        sidecar.parts.router.engine.state.learners.append(BrokenLearner())
        exchange = sidecar.caller.process()
        await exchange.ask(request_headers("/shop"))
        assert phase_of(await exchange.ask(response_headers())) == "response_headers"
        assert await exchange.finish() is grpc.StatusCode.OK
        assert sidecar.sample("sidecar_decision_failures_total") == 1

    with_sidecar(ask, FEEDBACK)


def test_a_bug_while_learning_does_not_break_the_access_log() -> None:
    """checklist 17: the stream carries everybody's outcomes."""

    async def ask(sidecar: Sidecar) -> None:
        sidecar.parts.router.engine.state.learners.append(BrokenLearner())
        tickets = [(await sidecar.caller.route("/shop")).decision.ticket for _ in range(2)]
        call = sidecar.caller.access_log()
        await call.write(batch(*(an_entry(ticket) for ticket in tickets)))
        await call.done_writing()
        assert await call.code() is grpc.StatusCode.OK
        assert sidecar.sample("sidecar_tickets_total", end="reported") == 2

    with_sidecar(ask)


def test_a_bug_while_expiring_does_not_end_the_expiry() -> None:
    """checklist 16, 17"""

    async def ask(sidecar: Sidecar) -> None:
        learners = sidecar.parts.router.engine.state.learners
        learners.append(BrokenLearner())
        await sidecar.caller.route("/shop")
        await until_in_loop(lambda: sidecar.sample("sidecar_tickets_open") == 0, "the first lease's end")
        learners.pop()
        await sidecar.caller.route("/shop")
        await until_in_loop(lambda: sidecar.sample("sidecar_tickets_total", end="lost") == 2, "the second's")

    with_sidecar(ask, SMALL + "tickets: {lease: 50ms}\n")
