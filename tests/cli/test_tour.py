"""What a tour says of answers: each expectation holds when it should, and is noticed when it does not."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from sidecar.cli.demo.report import title_of
from sidecar.cli.demo.tour import Answer, Happened, at_once, body_of, judged, stops
from sidecar.config.schema import Ask
from tests.running.endpoint import Endpoint
from tests.running.endpoint import endpoint as running_endpoint


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
    assert judged(an_ask(expect=right), Happened(answers)).held

    stop = judged(an_ask(expect=wrong), Happened(answers))

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
    return [endpoint.last["headers"].get("cookie") async for _ in stops(tour, endpoint.address, Counter())]


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
