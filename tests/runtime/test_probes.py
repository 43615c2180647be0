"""What is found out by asking real endpoints, and how the questions are spread over time."""

import asyncio
import contextlib
import gc
import socket
import time
from collections.abc import AsyncIterator, Callable
from random import Random

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2

from sidecar.core.endpoint import Endpoint
from sidecar.core.watch import ProbeRule
from sidecar.runtime.asking.get import Web
from sidecar.runtime.asking.probes import Found, found
from sidecar.runtime.asking.rounds import Job, Rounds
from tests.running.ports import free_ports
from tests.runtime.endpoints import (
    Answer,
    Odd,
    at_once,
    endless_body,
    endless_headers,
    endless_interim,
    never,
    odd,
    slow_body,
    with_bytes,
    with_status,
)
from tests.runtime.sidecars import Sidecar, with_sidecar
from tests.waiting import until_in_loop

GOOD = Found(True)
SOON_S = 0.3
AT_MOST_S = 5.0
"""For what is over after SOON_S; the rest is for a machine that has more to do."""
ENOUGH_BYTES = 8_000_000
"""More than the sockets on both sides hold when nobody reads, and far less than is sent in the time."""


async def ask(answer: Answer, rule: ProbeRule) -> tuple[Found, Odd]:
    web = Web()
    async with odd(answer) as one:
        result = await found(web, Endpoint("shop", "a", one.address), rule)
    web.close()
    return result, one


def find(answer: Answer, rule: ProbeRule | None = None) -> Found:
    return asyncio.run(ask(answer, rule or ProbeRule(http="/health", timeout_s=SOON_S)))[0]


@pytest.mark.parametrize("status", [200, 204, 299])
def test_a_status_of_success_is_good(status: int) -> None:
    """H4"""
    assert find(with_status(status)) == GOOD


@pytest.mark.parametrize("status", [301, 404, 500, 503])
def test_any_other_status_is_bad_and_no_redirect_is_followed(status: int) -> None:
    """H4"""
    result, one = asyncio.run(ask(with_status(status, "location: /other"), ProbeRule(http="/health")))

    assert result == Found(False, f"status {status}")
    assert len(one.asked) == 1


def test_the_statuses_may_be_others() -> None:
    rule = ProbeRule(http="/", statuses=frozenset({404}))

    assert find(with_status(404), rule) == GOOD
    assert find(with_status(200), rule) == Found(False, "status 200")


def test_it_asks_for_the_path_of_the_cluster_on_a_connection_that_it_ends() -> None:
    """H4"""
    _, one = asyncio.run(ask(with_status(200), ProbeRule(http="/health?deep=1")))
    _, other = asyncio.run(ask(with_status(200), ProbeRule(http="/", host="shop.internal:81")))

    head = one.asked[0].decode().lower().split("\r\n")
    assert head[0] == "get /health?deep=1 http/1.1"
    assert {"host: shop", "user-agent: sidecar-probe", "connection: close"} <= set(head)
    assert b"\r\nhost: shop.internal:81\r\n" in other.asked[0].lower()


def test_an_answer_may_be_good_and_degraded() -> None:
    """C4"""
    assert find(with_status(200, "x-envoy-degraded: ")) == Found(True, degraded=True)
    assert find(with_status(500, "x-envoy-degraded: ")) == Found(False, "status 500")


def test_another_port_may_be_asked() -> None:
    async def run() -> Found:
        async with odd(with_status(200)) as one:
            port = int(one.address.rpartition(":")[2])
            endpoint = Endpoint("shop", "a", "127.0.0.1:1")
            return await found(Web(), endpoint, ProbeRule(http="/", port=port))

    assert asyncio.run(run()) == GOOD


@pytest.mark.parametrize("host", ["::1", "localhost"])
def test_an_address_may_be_of_ipv6_or_a_name(host: str) -> None:
    async def run() -> Found:
        async with odd(with_status(200), "127.0.0.1" if host == "localhost" else host) as one:
            address = one.address.replace("127.0.0.1", "localhost")
            web = Web()
            result = await found(web, Endpoint("shop", "a", address), ProbeRule(http="/"))
            web.close()
            return result

    assert asyncio.run(run()) == GOOD


@pytest.mark.parametrize("name", ["no-such-name.invalid", "a..b", "x" * 70 + ".invalid"])
def test_a_name_without_an_address_is_bad(name: str) -> None:
    async def run() -> Found:
        web = Web()
        result = await found(web, Endpoint("shop", "a", f"{name}:80"), ProbeRule(http="/"))
        web.close()
        return result

    assert asyncio.run(run()) == Found(False, "its name has no address")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param(never, "timeout after 0.3 s", id="no answer"),
        pytest.param(slow_body, "timeout after 0.3 s", id="a body that never ends"),
        pytest.param(at_once, "it hung up without an answer", id="hangs up at once"),
        pytest.param(with_bytes(b"HTTP/1.1 200 OK\r\ncontent-le"), "hung up", id="half a head"),
        pytest.param(with_bytes(b"\x16\x03\x01\x00\xee\x01\x00\r\n\r\n" * 5), "no HTTP: ", id="no HTTP"),
        pytest.param(with_bytes(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "no HTTP: ", id="another protocol"),
        pytest.param(with_bytes(b"HTTP/1.1 999999 OK\r\n\r\n"), "no HTTP: ", id="no status"),
        pytest.param(
            with_bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfour"), "no HTTP: ", id="half a body"
        ),
    ],
)
def test_what_is_no_whole_answer_in_time_is_bad_and_says_why(answer: Answer, why: str) -> None:
    """H4"""
    begun = time.monotonic()
    result = find(answer)

    assert time.monotonic() - begun < AT_MOST_S
    assert not result.good
    assert why in result.why
    assert result.why.isprintable()


@pytest.mark.parametrize(
    ("endless", "good", "why"),
    [
        pytest.param(endless_body, True, "", id="body"),
        pytest.param(endless_headers, False, "no HTTP: ", id="headers"),
        pytest.param(endless_interim, False, "no answer within ", id="interim answers"),
    ],
)
def test_what_never_ends_is_left_after_some_kilobytes(
    endless: Callable[[list[int]], Answer], good: bool, why: str
) -> None:
    """H4: the status of a large answer is enough."""
    told: list[int] = []

    result = find(endless(told), ProbeRule(http="/", timeout_s=10.0))

    assert result.good == good
    assert why in result.why
    assert told[0] < ENOUGH_BYTES


def test_who_refuses_connections_is_unhealthy() -> None:
    """H4"""
    (port,) = free_ports(1)
    endpoint = Endpoint("shop", "a", f"127.0.0.1:{port}")

    assert asyncio.run(found(Web(), endpoint, ProbeRule(http="/"))) == Found(False, "connection refused")
    result = asyncio.run(found(Web(), endpoint, ProbeRule()))
    assert not result.good
    assert result.why.startswith("UNAVAILABLE: ")


class Health:
    """A gRPC server that answers `Check` with these bytes, or as `say` says."""

    def __init__(self) -> None:
        self.statuses: dict[str, int] = {}
        self.raw: bytes | None = None
        self.authority = ""

    async def check(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        if self.raw is not None:
            return self.raw
        service = health_pb2.HealthCheckRequest.FromString(request).service
        if service == "hangs":
            await asyncio.Event().wait()
        if service not in self.statuses:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
        message = health_pb2.HealthCheckResponse(status=self.statuses[service])
        return bytes(message.SerializeToString())


@contextlib.asynccontextmanager
async def checking(health: Health | None) -> AsyncIterator[str]:
    server = grpc.aio.server()
    if health is not None:
        handler = grpc.unary_unary_rpc_method_handler(health.check)
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler}),)
        )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def find_by_grpc(health: Health | None, service: str = "") -> Found:
    async def run() -> Found:
        async with checking(health) as address:
            rule = ProbeRule(grpc=service, timeout_s=2.0 if service != "hangs" else SOON_S)
            return await found(Web(), Endpoint("shop", "a", address), rule)

    return asyncio.run(run())


def test_a_grpc_endpoint_is_good_while_it_serves() -> None:
    """H4"""
    health = Health()
    health.statuses = {"": 1, "shop.v1.Shop": 2, "cart.v1.Cart": 1}

    assert find_by_grpc(health) == GOOD
    assert find_by_grpc(health, "cart.v1.Cart") == GOOD
    assert find_by_grpc(health, "shop.v1.Shop") == Found(False, "NOT_SERVING")
    health.statuses[""] = 77
    assert find_by_grpc(health) == Found(False, "health status 77")


def test_one_that_does_not_know_what_is_asked_is_bad() -> None:
    """H4"""
    assert find_by_grpc(Health(), "other") == Found(False, "NOT_FOUND: no such service")
    assert find_by_grpc(None).why.startswith("UNIMPLEMENTED")


def test_a_grpc_endpoint_that_never_answers_is_bad_after_the_timeout() -> None:
    """H4"""
    begun = time.monotonic()

    assert find_by_grpc(Health(), "hangs") == Found(False, "timeout after 0.3 s")
    assert time.monotonic() - begun < AT_MOST_S


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\xff\xff\xff", id="no message"),
        pytest.param(b"\x08", id="half"),
        pytest.param(b"x" * 100_000, id="huge"),
        pytest.param(
            b"\x08\x01\x7a\xa0\x8d\x06" + b"x" * 100_000, id="it serves, and says more than anybody reads"
        ),
    ],
)
def test_an_answer_of_grpc_that_is_none_is_bad(raw: bytes) -> None:
    """H4"""
    health = Health()
    health.raw = raw

    assert not find_by_grpc(health).good


def test_an_endpoint_of_http_is_no_endpoint_of_grpc() -> None:
    result = find(with_status(200), ProbeRule(grpc="", timeout_s=2.0))

    assert not result.good


class Asked:
    """Questions that are answered when a test says so."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}
        self.now = 0
        self.most = 0
        self.open = asyncio.Event()

    def job(self, key: str, interval_s: float = 0.05, about: object = None) -> Job:
        async def ask() -> None:
            self.times.setdefault(key, []).append(asyncio.get_running_loop().time())
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                await self.open.wait()
            finally:
                self.now -= 1

        return Job(about or key, interval_s, ask)

    def count(self, key: str) -> int:
        return len(self.times.get(key, []))


@contextlib.asynccontextmanager
async def going(
    most: int = 64, rng: Random | None = None
) -> AsyncIterator[tuple[Rounds, Asked, list[Exception]]]:
    bugs: list[Exception] = []
    rounds = Rounds(rng or Random(1), most, bugs.append)
    task = asyncio.create_task(rounds.run())
    asked = Asked()
    asked.open.set()
    try:
        yield rounds, asked, bugs
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_the_first_questions_are_spread_over_the_interval() -> None:
    """H4: 200 of them; each fifth of the time has 40, and 5 standard deviations are 28."""

    async def run() -> None:
        async with going() as (rounds, asked, _):
            begun = asyncio.get_running_loop().time()
            rounds.follow({str(at): asked.job(str(at), 1.0) for at in range(200)})
            await until_in_loop(lambda: len(asked.times) == 200, "each to be asked once")
            after = [times[0] - begun for times in asked.times.values()]
            fifths = [sum(int(5 * each) == fifth for each in after) for fifth in range(5)]
            assert all(12 <= count <= 68 for count in fifths), fifths

    asyncio.run(run())


class Always(Random):
    def __init__(self, number: float) -> None:
        super().__init__()
        self._number = number

    def random(self) -> float:
        return self._number


def test_intervals_are_up_to_a_tenth_longer_or_shorter() -> None:
    """H4: in ten of them the latest asker falls two intervals behind the earliest, beside it in one loop."""

    async def run() -> None:
        earliest, latest = going(rng=Always(0.0)), going(rng=Always(1.0))
        async with earliest as (early, asked_early, _), latest as (late, asked_late, _):
            early.follow({"a": asked_early.job("a", 0.1)})
            late.follow({"a": asked_late.job("a", 0.1)})
            await until_in_loop(lambda: asked_late.count("a") > 10, "ten intervals")
            took_early, took_late = (
                asked.times["a"][10] - asked.times["a"][0] for asked in (asked_early, asked_late)
            )
            assert took_early > 0.8
            assert took_late - took_early > 0.1

    asyncio.run(run())


def test_no_more_are_asked_at_once_than_is_said_and_none_twice() -> None:
    """H4: a thousand endpoints that hang; those that had no turn have it when a place is free."""

    async def run() -> None:
        async with going(most=50) as (rounds, asked, _):
            asked.open.clear()
            rounds.follow({str(at): asked.job(str(at), 0.02) for at in range(1000)})
            await until_in_loop(lambda: asked.now == 50, "all places to be taken")
            assert rounds.asking == 50
            assert len(asyncio.all_tasks()) <= 50 + 3
            asked.open.set()
            await until_in_loop(lambda: len(asked.times) == 1000, "each to have had its turn")
            assert asked.most == 50

    asyncio.run(run())


def test_a_question_that_is_under_way_is_not_asked_again() -> None:
    async def run() -> None:
        async with going() as (rounds, asked, _):
            asked.open.clear()
            rounds.follow({"slow": asked.job("slow", 0.01)})
            await until_in_loop(lambda: asked.now == 1, "the question")
            other = Asked()
            other.open.set()
            rounds.follow({"slow": asked.job("slow", 0.01), "quick": other.job("quick", 0.01)})
            await until_in_loop(lambda: other.count("quick") >= 10, "many rounds of another")
            assert asked.count("slow") == 1
            asked.open.set()
            await until_in_loop(lambda: asked.count("slow") >= 3, "it to go on")

    asyncio.run(run())


def test_a_new_plan_asks_who_is_new_and_leaves_who_is_gone_or_is_asked_otherwise() -> None:
    """H4"""

    async def run() -> None:
        async with going() as (rounds, asked, _):
            asked.open.clear()
            rounds.follow({key: asked.job(key, 0.01) for key in ("stays", "changes", "goes")})
            await until_in_loop(lambda: asked.now == 3, "the questions")

            later = Asked()
            later.open.set()
            rounds.follow(
                {
                    "stays": asked.job("stays", 0.01),
                    "changes": later.job("changes", 0.01, about="other"),
                    "comes": later.job("comes", 0.01),
                }
            )
            await until_in_loop(lambda: asked.now == 1, "those not wanted to be given up")
            await until_in_loop(lambda: later.count("changes") >= 3 and later.count("comes") >= 3, "rounds")
            assert [asked.count(key) for key in ("stays", "changes", "goes")] == [1, 1, 1]

    asyncio.run(run())


def test_a_bug_in_a_question_is_told_and_the_rounds_go_on() -> None:
    async def run() -> None:
        async with going() as (rounds, _, bugs):

            async def broken() -> None:
                raise RuntimeError("a bug")

            rounds.follow({"broken": Job("broken", 0.01, broken)})
            await until_in_loop(lambda: len(bugs) >= 3, "three rounds")
            assert rounds.asking <= 1

    asyncio.run(run())


def test_after_the_end_nothing_is_under_way() -> None:
    """H4"""

    async def run() -> None:
        async with odd(never) as one:
            web = Web()
            async with going() as (rounds, asked, _):
                endpoint = Endpoint("shop", "a", one.address)

                async def ask() -> None:
                    await found(web, endpoint, ProbeRule(http="/"))

                asked.open.clear()
                rounds.follow({"http": Job("http", 0.01, ask), "other": asked.job("other", 0.01)})
                await until_in_loop(lambda: one.asked and asked.now == 1, "the questions")
            web.close()
            assert rounds.asking == 0
            assert asked.now == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


PROBED = """\
listen: {grpc: '127.0.0.1:0', admin: '127.0.0.1:0', drain: 1s}
clusters:
  shop:
    endpoints: [{address: ADDRESS, id: a}]
    health: {probe: {http: /health, interval: 100ms, timeout: 2s, healthy: 2, unhealthy: 3}}
routes: [{name: shop, to: shop}]
"""


def test_a_sidecar_refuses_to_send_where_its_probes_fail_and_sends_again_when_they_succeed() -> None:
    """H4"""

    async def run() -> None:
        async with odd(with_status(200)) as one:

            async def ask(sidecar: Sidecar) -> None:
                state = sidecar.parts.router.engine.state
                await until_in_loop(lambda: len(one.asked) >= 3, "three questions")
                assert state.standing.marked() == []
                one.answer = with_status(503)
                await until_in_loop(lambda: not state.probes.healthy("shop/a"), "it to be found unhealthy")
                assert state.standing.why("shop/a") == "probe: 3 bad answers in a row: status 503"
                assert (await sidecar.caller.route("/")).WhichOneof("answer") == "refusal"
                one.answer = with_status(200)
                await until_in_loop(lambda: state.probes.healthy("shop/a"), "it to be found healthy")
                assert (await sidecar.caller.route("/")).WhichOneof("answer") == "decision"
                assert (sidecar.sample("sidecar_probes_total", result="good") or 0) >= 5
                assert (sidecar.sample("sidecar_probes_total", result="bad") or 0) >= 3
                assert sidecar.sample("sidecar_probes_total", result="degraded") == 0

            await asyncio.to_thread(with_sidecar, ask, PROBED.replace("ADDRESS", one.address))

    asyncio.run(run())


def test_an_endpoint_that_takes_connections_and_says_nothing_keeps_no_socket_of_grpc() -> None:
    """H4: by itself gRPC would hold each for 20 s."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = Endpoint("shop", "a", f"127.0.0.1:{silent.getsockname()[1]}")
        silent.settimeout(10.0)

        async def run() -> Found:
            return await found(Web(), endpoint, ProbeRule(timeout_s=0.3))

        assert asyncio.run(run()) == Found(False, "timeout after 0.3 s")
        asked, _ = silent.accept()
        with asked:
            asked.settimeout(10.0)
            while asked.recv(4096):  # until the other side hangs up
                pass


def test_many_questions_leave_nothing_behind() -> None:
    """H4: connections and tasks go with their questions."""

    async def run() -> tuple[int, int]:
        web = Web()
        async with odd(with_status(200, body=b"x" * 1000)) as one:
            endpoint, rule = Endpoint("shop", "a", one.address), ProbeRule(http="/")
            for _ in range(200):
                await found(web, endpoint, rule)
            one.asked.clear()
            gc.collect()
            before = len(gc.get_objects())
            for _ in range(300):
                assert await found(web, endpoint, rule) == GOOD
            one.asked.clear()
            gc.collect()
            return before, len(gc.get_objects())

    before, after = asyncio.run(run())
    assert after - before < 100


def test_a_question_that_is_given_up_before_it_began_leaves_its_place_to_another() -> None:
    """H4: a reload may come just then."""

    async def run() -> list[str]:
        asked: list[str] = []

        async def ask(key: str) -> None:
            asked.append(key)

        def job(key: str, interval_s: float) -> dict[str, Job]:
            return {key: Job(key, interval_s, lambda: ask(key))}

        bugs: list[Exception] = []
        rounds = Rounds(Random(1), 1, bugs.append)
        rounds.follow(job("given up", 0.0))
        task = asyncio.create_task(rounds.run())
        asyncio.get_running_loop().call_soon(rounds.follow, job("next", 0.01))
        await until_in_loop(lambda: len(asked) > 1, "the next to be asked")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return asked

    assert set(asyncio.run(run())) == {"next"}
