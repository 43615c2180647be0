"""What becomes of the pages of metrics of real endpoints."""

import asyncio
import time
from collections.abc import Callable

import pytest

from sidecar.core.endpoint import Endpoint
from sidecar.core.report import Report
from sidecar.core.watch import Reading, ScrapeRule
from sidecar.runtime.asking.get import SCRAPE, Web
from sidecar.runtime.asking.scrapes import scraped
from tests.runtime.endpoints import (
    Answer,
    at_once,
    endless_body,
    endless_headers,
    never,
    odd,
    slow_body,
    with_bytes,
    with_status,
)
from tests.runtime.sidecars import Sidecar, with_sidecar
from tests.waiting import until_in_loop

PAGE = b"# TYPE load gauge\nload 0.25\n"
ENOUGH_BYTES = 8_000_000


def scrape(answer: Answer, timeout_s: float = 0.3) -> Report | None:
    async def run() -> Report | None:
        async with odd(answer) as one:
            rule = ScrapeRule(timeout_s=timeout_s, utilisation=(Reading("load"),))
            report = await scraped(Web(), Endpoint("shop", "a", one.address), rule)
            assert [asked.split(b" ")[1] for asked in one.asked] == [b"/metrics"]
            return report

    return asyncio.run(run())


def test_a_page_is_read() -> None:
    """H8"""
    report = scrape(with_status(200, body=PAGE))

    assert report is not None
    assert report.utilisation == 0.25


def test_a_page_in_parts_is_read() -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    parts = b"".join(b"1\r\n%c\r\n" % byte for byte in PAGE)

    report = scrape(with_bytes(head + parts + b"0\r\n\r\n"))

    assert report is not None
    assert report.utilisation == 0.25


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(with_status(500, body=PAGE), id="another status"),
        pytest.param(with_status(302, "location: /other", body=PAGE), id="a redirect"),
        pytest.param(with_status(200, body=PAGE + b"#" * 1_100_000), id="more than a megabyte"),
        pytest.param(with_bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n" + PAGE), id="half a page"),
        pytest.param(never, id="no answer"),
        pytest.param(slow_body, id="a page that never ends"),
        pytest.param(at_once, id="hangs up"),
    ],
)
def test_where_there_is_no_page_nothing_is_told(answer: Answer) -> None:
    """H8: nor is it waited for longer than its 0.3 s; the rest is for a machine that has more to do."""
    begun = time.monotonic()

    assert scrape(answer) is None
    assert time.monotonic() - begun < 5.0


@pytest.mark.parametrize("endless", [endless_body, endless_headers])
def test_what_never_ends_is_left_after_a_megabyte(endless: Callable[[list[int]], Answer]) -> None:
    """H8"""
    told: list[int] = []

    assert scrape(endless(told), 10.0) is None
    assert told[0] < ENOUGH_BYTES


def test_garbage_is_no_report() -> None:
    report = scrape(with_status(200, body=bytes(range(256)) * 100))

    assert report is not None
    assert not report.says_something()


def test_others_have_their_turn_while_a_page_is_read() -> None:
    """H8: between any two of its 1,530 steps."""

    async def run() -> int:
        page = with_status(200, body=b"ab\n" * 349_000)
        readings = tuple(Reading("a" + "b" * at) for at in range(30))
        async with odd(page) as one:
            rule = ScrapeRule(timeout_s=60.0, utilisation=readings)
            work = asyncio.create_task(scraped(Web(), Endpoint("shop", "a", one.address), rule))
            turns = 0
            while not work.done():
                await asyncio.sleep(0)
                turns += 1
            assert (await work) is not None
            return turns

    assert asyncio.run(run()) > 1530


SCRAPED = """\
listen: {grpc: '127.0.0.1:0', admin: '127.0.0.1:0', drain: 1s}
clusters:
  shop:
    endpoints: [{address: ADDRESS, id: a}]
    scrape: {interval: 100ms, utilisation: [{metric: load}]}
routes: [{name: shop, to: shop}]
"""


def test_a_report_that_no_page_renews_goes_stale() -> None:
    """H8: a scrape that failed tells nothing, so the last one counts for as long as any."""

    async def run() -> None:
        async with odd(with_status(200, body=PAGE)) as one:

            async def ask(sidecar: Sidecar) -> None:
                def scrapes(result: str) -> float:
                    return sidecar.sample("sidecar_scrapes_total", result=result) or 0

                reports = sidecar.parts.router.engine.state.reports
                await until_in_loop(
                    lambda: reports.utilisation("shop/a", time.monotonic()) == 0.25, "a report"
                )
                assert scrapes("read") > 0
                one.answer = with_status(500)
                await until_in_loop(lambda: scrapes("failed") > 2, "pages that do not come")
                assert reports.utilisation("shop/a", time.monotonic()) == 0.25
                assert reports.utilisation("shop/a", time.monotonic() + 31.0) < 0
                one.answer = with_status(200)
                await until_in_loop(lambda: scrapes("empty") > 2, "empty pages")

            await asyncio.to_thread(with_sidecar, ask, SCRAPED.replace("ADDRESS", one.address))

    asyncio.run(run())


def test_a_page_in_parts_of_one_byte_keeps_nobody_waiting_and_is_left_in_the_end() -> None:
    """H8: each costs as much as a large one. Others have their turn after each few of them."""
    page = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 30_000

    async def run() -> tuple[bool, int, int]:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async with odd(with_bytes(page)) as one:
            waiting = asyncio.create_task(others())
            answer = await Web().get(one.address, "/", "shop", SCRAPE, 1 << 20)
            waiting.cancel()
        return answer.whole, len(answer.body), turns

    whole, size, turns = asyncio.run(run())

    assert (whole, size) == (False, 20_001)
    assert turns > size / 40
