"""What the log says of endpoints that go out and come back."""

import asyncio
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from sidecar.core.endpoint import Endpoint, Offer
from sidecar.core.engine import Engine
from sidecar.core.plan import Plan
from sidecar.core.state.standing import DEGRADED, OUT, RESTING, SPENT, Mark
from sidecar.core.watch import ProbeRule, RegionRule, Watch
from sidecar.runtime import notices
from sidecar.runtime.notices import Notices
from tests.builders import a_route, an_engine, endpoints_of
from tests.core.watched import a_watched_engine, a_watched_plan
from tests.waiting import until_in_loop

Lines = list[MutableMapping[str, Any]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    with capture_logs() as lines:
        yield lines


def an_engine_of(count: int) -> Engine:
    return an_engine(a_route(to=endpoints_of({f"e{at}": 1 for at in range(count)})))


def test_one_line_says_who_is_out_why_and_until_when_and_one_that_it_is_back(lines: Lines) -> None:
    """O4, H5"""
    engine = an_engine_of(2)
    notices = Notices(engine)
    engine.state.standing.mark("shop/e1", "breaker", Mark(RESTING, "breaker open", 30.0), 0.0)
    notices.tell(0.6)
    notices.tell(1.6)
    engine.expire(30.0)
    notices.tell(30.6)
    notices.tell(31.6)

    assert lines == [
        {
            "event": "endpoint_out",
            "log_level": "warning",
            "cluster": "shop",
            "endpoint": "e1",
            "standing": "resting",
            "cause": "breaker",
            "why": "breaker open",
            "back_in_s": 29.4,
        },
        {
            "event": "endpoint_back",
            "log_level": "info",
            "cluster": "shop",
            "endpoint": "e1",
            "cause": "breaker",
            "out_s": 30.0,
        },
    ]


def test_what_has_no_end_of_its_own_is_told_without_one(lines: Lines) -> None:
    """O4, H4: what a probe found."""
    offer = Offer(watch=Watch(probe=ProbeRule(http="/", unhealthy=1, healthy=1)))
    engine = a_watched_engine(a_watched_plan([Endpoint("shop", "a", "10.0.0.1:80", offer=offer)]))
    engine.checked("shop/a", False, "status 500", 1.0)
    Notices(engine).tell(1.0)

    assert [(line["cause"], line["back_in_s"]) for line in lines] == [("probe", None)]


def test_a_change_that_is_over_within_a_second_is_not_told(lines: Lines) -> None:
    """O4: else a breaker that fails its trials would fill the log."""
    engine = an_engine_of(2)
    notices = Notices(engine)
    standing = engine.state.standing
    standing.mark("shop/e1", "breaker", Mark(OUT, "open"), 0.0)
    notices.tell(1.0)
    del lines[:]

    standing.clear("shop/e1", "breaker", 1.2)
    standing.mark("shop/e1", "breaker", Mark(OUT, "open again"), 1.3)
    standing.mark("shop/e0", "outlier", Mark(OUT, "ejected"), 1.4)
    standing.clear("shop/e0", "outlier", 1.5)
    notices.tell(2.0)

    assert lines == []


@pytest.mark.parametrize("level", [DEGRADED, SPENT])
def test_who_is_degraded_or_has_had_all_it_may_have_is_not_told_to_be_out(level: int, lines: Lines) -> None:
    """O4: with a quota that is used up, that would be a line every few seconds."""
    engine = an_engine_of(2)
    engine.state.standing.mark("shop/e1", "other", Mark(level, "is so"), 0.0)
    Notices(engine).tell(1.0)

    assert lines == []


def test_one_that_goes_out_while_its_quota_is_spent_is_told(lines: Lines) -> None:
    """O4"""
    engine = an_engine_of(2)
    notices = Notices(engine)
    standing = engine.state.standing
    standing.mark("shop/e1", "quota", Mark(SPENT, "has had all"), 0.0)
    standing.mark("shop/e1", "outlier", Mark(OUT, "ejected"), 0.0)
    notices.tell(1.0)
    standing.clear("shop/e1", "quota", 2.0)
    notices.tell(3.0)
    standing.clear("shop/e1", "outlier", 4.0)
    notices.tell(5.0)

    assert [line["event"] for line in lines] == ["endpoint_out", "endpoint_back"]


def test_when_very_many_go_together_the_most_are_only_counted(lines: Lines) -> None:
    """O4: a network that fails must not fill the disk."""
    engine = an_engine_of(1000)
    notices = Notices(engine)
    keys = [f"shop/e{at}" for at in range(1000)]
    engine.state.standing.mark_all(keys, "probe", Mark(OUT, "probe"), 0.0)
    notices.tell(1.0)
    assert [line["event"] for line in lines] == [*["endpoint_out"] * 20, "endpoints_untold"]
    assert (lines[-1]["out"], lines[-1]["back"]) == (980, 0)

    engine.state.standing.clear_all(keys, "probe", 2.0)
    notices.tell(2.0)
    assert (lines[-1]["out"], lines[-1]["back"]) == (0, 980)


def test_an_endpoint_that_a_new_plan_leaves_out_is_forgotten(lines: Lines) -> None:
    """O4"""
    engine = an_engine_of(2)
    notices = Notices(engine)
    engine.state.standing.mark("shop/e1", "probe", Mark(OUT, "probe"), 0.0)
    notices.tell(1.0)
    engine.swap(Plan(2, [a_route(to=endpoints_of({"e0": 1}))]), 2.0)
    notices.tell(3.0)
    engine.swap(Plan(3, [a_route(to=endpoints_of({"e0": 1, "e1": 1}))]), 4.0)
    notices.tell(5.0)

    assert [line["event"] for line in lines] == ["endpoint_out"]


def test_another_active_region_is_told(lines: Lines) -> None:
    """O4, F5"""
    near, far = (Endpoint("shop", name, "10.0.0.1:80", region=name) for name in ("near", "far"))
    plan = a_watched_plan((near, far))
    engine = a_watched_engine(Plan(1, plan.routes, regions=RegionRule(("near", "far"))))
    notices = Notices(engine)
    notices.tell(1.0)
    assert lines == []

    engine.state.standing.mark("shop/near", "hand", Mark(OUT, "out"), 1.0)
    notices.tell(2.0)

    (line,) = [line for line in lines if line["event"] == "region_changed"]
    assert (line["active"], line["before"]) == ("far", "near")
    assert "near" in line["left"]


class Broken(Notices):
    def tell(self, now: float) -> None:
        raise ZeroDivisionError(now)


def test_a_bug_while_telling_is_told_and_does_not_end_it(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O4"""
    monkeypatch.setattr(notices, "_EVERY_S", 0.001)

    async def run() -> None:
        telling = asyncio.create_task(Broken(an_engine_of(1)).keep_telling())
        await until_in_loop(lambda: len(lines) > 1, "another try")
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)

    asyncio.run(run())

    assert {line["event"] for line in lines} == {"telling_failed"}
