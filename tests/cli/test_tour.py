"""What a tour says of answers: each expectation holds when it should, and is noticed when it does not."""

import asyncio
import contextlib
import re
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from sidecar.cli.demo.endpoints import COUNTED, Endpoints, answering
from sidecar.cli.demo.report import title_of
from sidecar.cli.demo.stage import Place
from sidecar.cli.demo.tour import Answer, Happened, Stop, at_once, body_of, judged, stops
from sidecar.config.schema import Ask, Behaviour
from tests.running.endpoint import Endpoint
from tests.running.endpoint import endpoint as running_endpoint
from tests.running.ports import free_ports
from tests.waiting import until_in_loop


def an_ask(**fields: Any) -> Ask:
    return Ask.model_validate({"path": "/", "expect": {}, **fields})


def an_answer(
    status: int = 200,
    endpoint: str = "a",
    *,
    headers: dict[str, str] | None = None,
    arrived: dict[str, str] | None = None,
    took_s: float = 0.001,
    body: str = "hello",
) -> Answer:
    seen = {
        "cluster": "shop",
        "endpoint": endpoint,
        "path": "/x",
        "host": "shop.test",
        "headers": arrived or {},
        "body_bytes": 3,
    }
    return Answer(status, httpx.Headers(headers or {}), body, seen if endpoint else {}, took_s)


FOUR_OF_TEN = [an_answer(200)] * 6 + [an_answer(503, "")] * 4
EXPECTATIONS: list[tuple[dict[str, Any], dict[str, Any], list[Answer], str]] = [
    ({"status": 200}, {"status": 201}, [an_answer()], "status is 200"),
    ({"cluster": "shop"}, {"cluster": "search"}, [an_answer()], "cluster is shop"),
    ({"endpoint": "a"}, {"endpoint": "b"}, [an_answer()], "endpoint is a"),
    ({"path": "/x"}, {"path": "/"}, [an_answer()], "path is /x"),
    ({"host": "shop.test"}, {"host": "test"}, [an_answer()], "host is shop.test"),
    ({"body": "ell"}, {"body": "bye"}, [an_answer()], "body is 'hello'"),
    ({"body_bytes": 3}, {"body_bytes": 4}, [an_answer()], "body_bytes is 3"),
    (
        {"headers": {"X-A": "1", "x-b": None}},
        {"headers": {"x-a": None}},
        [an_answer(arrived={"x-a": "1"})],
        "header x-a arrived as 1",
    ),
    (
        {"response_headers": {"location": "/new", "x-b": None}},
        {"response_headers": {"location": None}},
        [an_answer(headers={"location": "/new"})],
        "response header location is /new",
    ),
    (
        {"content_type": "text/html"},
        {"content_type": "text/plain"},
        [an_answer(headers={"content-type": "text/html; charset=utf-8"})],
        "content type is text/html",
    ),
    (
        {"endpoints": {"a": 2, "b": [0, 1]}},
        {"endpoints": {"a": 1}},
        [an_answer(), an_answer()],
        "a got 2",
    ),
    ({"endpoints": {"a": 1, "b": 1}}, {"endpoints": {"a": 1}}, [an_answer(), an_answer(200, "b")], "b got 1"),
    (
        {"statuses": {"200": [5, 7], "503": 4}},
        {"statuses": {"200": [7, 10], "503": [0, 4]}},
        FOUR_OF_TEN,
        "status 200 came 6 times",
    ),
    ({"statuses": {"200": 6, "503": 4}}, {"statuses": {"200": 6}}, FOUR_OF_TEN, "status 503 came 4 times"),
    (
        {"asked": {"a": 1, "b": [2, 3]}},
        {"asked": {"a": [0, 2], "b": 0}},
        [an_answer(), an_answer()],
        "b was asked 2 times",
    ),
    (
        {"slower_than": {"ms": 100, "times": 1}},
        {"slower_than": {"ms": 100, "times": [2, 3]}},
        [an_answer(), an_answer(took_s=0.1)],
        "1 took 100 ms or longer",
    ),
]


@pytest.mark.parametrize(("right", "wrong", "answers", "said"), EXPECTATIONS)
def test_an_expectation_holds_or_is_told_with_what_happened(
    right: dict[str, Any], wrong: dict[str, Any], answers: list[Answer], said: str
) -> None:
    """V6"""
    happened = Happened(answers, asked=Counter(a=1, b=2))
    assert judged(an_ask(expect=right), happened).held

    stop = judged(an_ask(expect=wrong), happened)

    assert not stop.held
    assert stop.happened == said


def test_copies_are_counted_and_none_may_come_where_none_is_expected() -> None:
    """V6"""
    ask = an_ask(expect={"mirrored": {"next": [2, 4], "other": 0}})

    assert judged(ask, Happened([an_answer()], Counter(next=3))).held
    few = judged(ask, Happened([an_answer()], Counter(next=1)))
    stray = judged(ask, Happened([an_answer()], Counter(next=2, a=1)))

    assert (few.held, few.happened) == (False, "next got 1 copies")
    assert (stray.held, stray.happened) == (False, "a got 1 copies")


def test_every_key_of_an_expectation_is_tried_here() -> None:
    tried = {key for right, *_ in EXPECTATIONS for key in right} | {"mirrored"}

    assert tried == set(type(an_ask().expect).model_fields)


def test_many_requests_go_at_once_unless_their_order_counts() -> None:
    """V6"""
    assert at_once(an_ask()) == 1
    assert at_once(an_ask(times=20)) == 1
    assert at_once(an_ask(times=21)) == 8
    assert at_once(an_ask(times=21, expect={"endpoints": {"a": 21}})) == 1
    assert at_once(an_ask(times=21, parallel=True, expect={"endpoints": {"a": 21}})) == 8
    assert at_once(an_ask(times=100, parallel=False)) == 1


async def _cookies_sent(tour: list[Ask], endpoint: Endpoint) -> list[str | None]:
    """With the last request of each stop."""
    nobody = Endpoints()
    return [endpoint.last["headers"].get("cookie") async for _ in stops(tour, endpoint.address, nobody)]


def test_cookies_go_back_where_they_are_to_be_kept_and_nowhere_else() -> None:
    """V6, S16"""
    tour = [
        an_ask(),
        an_ask(keep_cookies=True, times=2, parallel=False),
        an_ask(),
        an_ask(keep_cookies=True),
        an_ask(keep_cookies=True, headers={"cookie": "own=2"}),
    ]
    with running_endpoint("a") as endpoint:
        endpoint.headers = {"set-cookie": "one=1; Path=/; HttpOnly"}

        assert asyncio.run(_cookies_sent(tour, endpoint)) == [None, "one=1", None, "one=1", "own=2"]


async def _toured(tour: list[Ask]) -> list[Stop]:
    """With the one endpoint `b` in the place of Envoy."""
    place = Place("shop", "b", f"127.0.0.1:{free_ports(1)[0]}")
    async with answering([place]) as endpoints:
        return [stop async for stop in stops(tour, place.address, endpoints)]


def test_an_endpoint_changes_during_a_tour_and_is_as_usual_again() -> None:
    """V6 F4: it fails, refuses connections on its own port, and takes them there again."""
    tour = [
        an_ask(expect={"status": 200, "asked": {"b": 1}}),
        an_ask(become={"b": {"status": 500}}, times=2, expect={"status": 500, "asked": {"b": 2}}),
        an_ask(become={"b": {"down": True}}, expect={"status": 0, "body": "ConnectError", "asked": {}}),
        an_ask(become={"b": {"down": True, "delay": "1s"}}, expect={"status": 0, "asked": {}}),
        an_ask(become={"b": {}}, times=2, expect={"status": 200, "endpoints": {"b": 2}}),
    ]

    told = asyncio.run(_toured(tour))

    assert [stop for stop in told if not stop.held] == []
    assert [stop.asked for stop in told] == [
        "GET /",
        "b becomes status: 500\nGET / x2",
        "b becomes down: True\nGET /",
        "b becomes delay: 1.0, down: True\nGET /",
        "b becomes usual\nGET / x2",
    ]


def test_an_endpoint_that_hangs_answers_what_it_has_once_it_does_not_hang_any_more() -> None:
    """V6 F4"""

    async def hung() -> tuple[bool, int]:
        place = Place("shop", "b", f"127.0.0.1:{free_ports(1)[0]}", Behaviour(hang=True))
        async with answering([place]) as endpoints, httpx.AsyncClient(trust_env=False) as client:
            asked = asyncio.ensure_future(client.get(f"http://{place.address}/", headers={COUNTED: "1"}))
            await until_in_loop(lambda: endpoints.arrived["b", "1"], "the request")
            with contextlib.suppress(httpx.TimeoutException):
                await client.get(f"http://{place.address}/", timeout=0.1)
            before = asked.done()
            await endpoints.become("b", Behaviour())
            return before, (await asked).status_code

    assert asyncio.run(hung()) == (False, 200)


def test_what_needs_time_is_asked_until_it_is_true() -> None:
    """V6"""
    slow = {"status": 200, "slower_than": {"ms": 200, "times": 0}}

    async def told(ask: Ask) -> Stop:
        place = Place(
            "shop", "b", f"127.0.0.1:{free_ports(1)[0]}", Behaviour.model_validate({"delay": "300ms"})
        )
        async with answering([place]) as endpoints:

            async def soon_quick() -> None:
                await until_in_loop(lambda: endpoints.arrived.total() > 1, "the second time")
                await endpoints.become("b", Behaviour())

            change = asyncio.ensure_future(soon_quick())
            (stop,) = [stop async for stop in stops([ask], place.address, endpoints)]
            change.cancel()
            return stop

    became = asyncio.run(told(an_ask(until="10s", expect={**slow, "asked": {"b": 1}})))
    never = asyncio.run(told(an_ask(until="100ms", expect=slow)))

    assert became.held
    assert became.asked == "GET /, again for up to 10 s"
    assert re.fullmatch(r"200 from shop: b; asked: b x1\nafter [0-9.]+ s", became.happened)
    assert not never.held


def test_what_is_expected_of_each_answer_is_not_waited_for() -> None:
    """V6: a failure in between is one, whatever comes later."""
    ask = an_ask(
        become={"b": {"status": 500}}, until="1m", expect={"status": 200, "endpoints": {"b": [2, 3]}}
    )

    (stop,) = asyncio.run(_toured([ask]))

    assert not stop.held
    assert stop.happened.startswith("status is 500; b got 1\nafter 0.")


def test_a_body_is_text_a_number_of_bytes_or_json() -> None:
    """V6"""
    assert body_of(an_ask()) == (b"", "")
    assert body_of(an_ask(body="né")) == ("né".encode(), "")
    assert body_of(an_ask(body_bytes=5)) == (b"xxxxx", "")
    assert body_of(an_ask(json={"a": ["é", 1]})) == ('{"a": ["é", 1]}'.encode(), "application/json")
    assert body_of(an_ask(json=False)) == (b"false", "application/json")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "# Two of them. And more\n# of it.\n#\n# Shows M1 M2, A1.\n\nlisten: {}\n",
            ("Two of them", "M1 M2 A1"),
        ),
        ("# One\n# line\n", ("One line", "")),
        ("listen: {}\n# later\n", ("", "")),
        ("# " + "word " * 30, ("word " * 19 + "word …", "")),
    ],
)
def test_what_a_file_shows_stands_in_the_comment_at_its_top(text: str, shown: tuple[str, str]) -> None:
    """V6"""
    assert title_of(text) == shown


def test_the_examples_say_what_they_show() -> None:
    """V6: the table of all examples is made of it."""
    for example in (Path(__file__).parents[2] / "deploy/examples").glob("*.yaml"):
        title, ids = title_of(example.read_text("utf-8"))
        assert title, example
        assert ids, example
