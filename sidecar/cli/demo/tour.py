"""The tour of a configuration: its own requests sent through Envoy, and what was expected of each.

Requests of one stop go one after the other where it is judged which endpoint got them, because that is what a
strategy's order means. Where only numbers are judged, of faults for example, several go at once. Where
something needs time to become true, all are sent again and again until it is.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final
from urllib.parse import quote

import httpx

from sidecar.cli.demo.endpoints import COUNTED, Arrived, Endpoints
from sidecar.config.schema import Ask, Behaviour, Count, Expect

_AT_ONCE: Final = 8
_ALONE_UP_TO: Final = 20
_ANSWERS_WITHIN_S: Final = 30.0
_COPIES_WITHIN_S: Final = 5.0
_COPIES_SETTLE_S: Final = 0.3
_LOOKS_EACH_S: Final = 0.02
_PIECE: Final = 16_384
_NO_COOKIES: Final = DefaultCookiePolicy(allowed_domains=[])
_USUAL: Final = Behaviour().model_dump()
_SENDABLE: Final = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True)
class Answer:
    """One response; `seen` is what the small endpoint reported, empty when Envoy answered by itself."""

    status: int
    headers: httpx.Headers
    body: str
    seen: dict[str, Any]
    took_s: float = 0.0


@dataclass(frozen=True)
class Stop:
    """One stop of the tour; `held` when nothing was otherwise than expected."""

    asked: str
    expected: str
    happened: str
    held: bool


@dataclass(frozen=True)
class Happened:
    """All answers to one stop, how many copies each endpoint got besides, and how many requests in all."""

    answers: list[Answer]
    copies: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)


async def stops(tour: list[Ask], envoy: str, endpoints: Endpoints) -> AsyncIterator[Stop]:
    """Send each request in turn, as often as it says, and judge the answers."""
    async with _client(envoy, CookieJar(_NO_COOKIES)) as client, _client(envoy, CookieJar()) as browser:
        for number, ask in enumerate(tour):
            for id_, behaviour in ask.become.items():
                await endpoints.become(id_, behaviour)
            yield await _stop(browser if ask.keep_cookies else client, ask, number, endpoints.arrived)


async def _stop(client: httpx.AsyncClient, ask: Ask, number: int, arrived: Arrived) -> Stop:
    """What came of it the last time that it was sent. What is expected of each answer must hold each time."""
    clock = asyncio.get_running_loop().time
    began = clock()
    again = 0
    while True:
        happened = await _happened(client, ask, f"{number}.{again}", arrived)
        stop = judged(ask, happened)
        if ask.until is None:
            return stop
        over = clock() - began >= ask.until
        if stop.held or over or any(_problems(ask.expect, answer) for answer in happened.answers):
            return replace(stop, happened=f"{stop.happened}\nafter {clock() - began:.1f} s")
        again += 1
        await asyncio.sleep(_LOOKS_EACH_S)


async def _happened(client: httpx.AsyncClient, ask: Ask, mark: str, arrived: Arrived) -> Happened:
    expect = ask.expect
    counted = expect.mirrored is not None or expect.asked is not None
    answers = await _answers(client, ask, mark if counted else "")
    copies = await _copies(expect, answers, arrived, mark) if expect.mirrored is not None else Counter[str]()
    asked = Counter({who: number for (who, by), number in arrived.items() if by == mark})
    return Happened(answers, copies, asked)


def _client(envoy: str, cookies: CookieJar) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"http://{envoy}",
        timeout=_ANSWERS_WITHIN_S,
        trust_env=False,
        follow_redirects=False,
        cookies=cookies,
    )


def at_once(ask: Ask) -> int:
    """How many requests of the stop are on their way at the same time."""
    if ask.parallel is not None:
        return _AT_ONCE if ask.parallel else 1
    return _AT_ONCE if ask.times > _ALONE_UP_TO and ask.expect.endpoints is None else 1


def judged(ask: Ask, happened: Happened) -> Stop:
    """What was expected against what happened; of several answers each must hold."""
    expect, answers = ask.expect, happened.answers
    wrong: list[str] = []
    for answer in answers:
        wrong.extend(problem for problem in _problems(expect, answer) if problem not in wrong)
    counts = Counter(answer.seen.get("endpoint", "none") for answer in answers)
    if expect.endpoints is not None:
        wrong.extend(_miscounted(expect.endpoints, counts, "{} got {}"))
    statuses = Counter(str(answer.status) for answer in answers)
    if expect.statuses is not None:
        wrong.extend(_miscounted(expect.statuses, statuses, "status {} came {} times"))
    if expect.asked is not None:
        wrong.extend(_miscounted(expect.asked, happened.asked, "{} was asked {} times"))
    if expect.mirrored is not None:
        wrong.extend(_miscounted(expect.mirrored, happened.copies, "{} got {} copies"))
    if expect.slower_than is not None:
        slow = sum(answer.took_s * 1000 >= expect.slower_than.ms for answer in answers)
        if not _within(slow, expect.slower_than.times):
            wrong.append(f"{slow} took {expect.slower_than.ms:g} ms or longer")
    said = "; ".join(wrong) if wrong else _summary(happened, counts, statuses)
    return Stop(_asked(ask), _expected(expect), said, not wrong)


async def _answers(client: httpx.AsyncClient, ask: Ask, mark: str) -> list[Answer]:
    """In the order in which they were sent."""
    turns = asyncio.Semaphore(at_once(ask))

    async def answer() -> Answer:
        async with turns:
            return await _sent(client, ask, mark)

    return list(await asyncio.gather(*(answer() for _ in range(ask.times))))


async def _sent(client: httpx.AsyncClient, ask: Ask, mark: str) -> Answer:
    headers = dict(ask.headers)
    if ask.host is not None:
        headers["host"] = ask.host
    if mark:
        headers[COUNTED] = mark
    body, kind = body_of(ask)
    if kind:
        headers.setdefault("content-type", kind)
    content = _pieces(body) if ask.chunked else body or None
    # The path as it is written: the client would resolve its dots, and take //a for a host.
    target = {"target": quote(ask.path, safe=_SENDABLE).encode()}
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        response = await client.request(ask.method, "/", headers=headers, content=content, extensions=target)
    except httpx.HTTPError as error:
        return Answer(0, httpx.Headers(), f"no answer: {error!r}", {}, clock() - began)
    return Answer(response.status_code, response.headers, response.text, _seen(response), clock() - began)


def body_of(ask: Ask) -> tuple[bytes, str]:
    """The body and its content type, both empty where there is none."""
    if ask.json_ is not None:
        return json.dumps(ask.json_, ensure_ascii=False).encode(), "application/json"
    if ask.body_bytes is not None:
        return b"x" * ask.body_bytes, ""
    return (ask.body or "").encode(), ""


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _PIECE):
        yield body[start : start + _PIECE]


def _seen(response: httpx.Response) -> dict[str, Any]:
    if not response.headers.get("content-type", "").startswith("application/json"):
        return {}
    try:
        told = response.json()
    except ValueError:  # the answer to HEAD has no body
        return {}
    return told if isinstance(told, dict) and "endpoint" in told else {}


async def _copies(expect: Expect, answers: list[Answer], arrived: Arrived, mark: str) -> Counter[str]:
    """What came besides the answers; waited for, because copies may come after them."""
    clock = asyncio.get_running_loop().time
    answered = Counter(answer.seen.get("endpoint", "none") for answer in answers)

    def copies() -> Counter[str]:
        return Counter({who: number for (who, by), number in arrived.items() if by == mark}) - answered

    seen, since = copies(), clock()
    ends = since + _COPIES_WITHIN_S
    while clock() < ends:
        await asyncio.sleep(_LOOKS_EACH_S)
        now = copies()
        if now != seen:
            seen, since = now, clock()
        elif clock() - since >= _COPIES_SETTLE_S and not _miscounted(expect.mirrored or {}, now, "{}{}"):
            break
    return seen


def _problems(expect: Expect, answer: Answer) -> list[str]:
    problems = []

    def compare(what: str, wanted: object, got: object) -> None:
        if wanted is not None and wanted != got:
            problems.append(f"{what} is {got}")

    compare("status", expect.status, answer.status)
    compare("cluster", expect.cluster, answer.seen.get("cluster"))
    compare("endpoint", expect.endpoint, answer.seen.get("endpoint"))
    compare("path", expect.path, answer.seen.get("path"))
    compare("host", expect.host, answer.seen.get("host"))
    compare("body_bytes", expect.body_bytes, answer.seen.get("body_bytes"))
    compare("content type", expect.content_type, answer.headers.get("content-type", "").partition(";")[0])
    arrived = answer.seen.get("headers", {})
    for name, value in expect.headers.items():
        got = arrived.get(name.lower())
        if got != value:
            problems.append(f"header {name} arrived as {got}")
    for name, value in expect.response_headers.items():
        got = answer.headers.get(name)
        if got != value:
            problems.append(f"response header {name} is {got}")
    if expect.body is not None and expect.body not in answer.body:
        problems.append(f"body is {answer.body[:120]!r}")
    return problems


def _within(number: int, wanted: Count) -> bool:
    lowest, highest = (wanted, wanted) if isinstance(wanted, int) else (wanted[0], wanted[1])
    return lowest <= number <= highest


def _miscounted(wanted: dict[str, Count], counts: Counter[str], said: str) -> list[str]:
    """What came too often or too seldom; what is not wanted must not come at all."""
    problems = [
        said.format(name, counts[name]) for name, count in wanted.items() if not _within(counts[name], count)
    ]
    problems.extend(said.format(other, counts[other]) for other in counts if other not in wanted)
    return problems


def _asked(ask: Ask) -> str:
    times = f" x{ask.times}" if ask.times > 1 else ""
    host = f" host={ask.host}" if ask.host else ""
    headers = "".join(f" {name}: {value}" for name, value in ask.headers.items())
    title = f"{ask.name}\n" if ask.name else ""
    size = f" with {ask.body_bytes} bytes" if ask.body_bytes is not None else ""
    body = f" {json.dumps(ask.json_, ensure_ascii=False)[:200]}" if ask.json_ is not None else size
    chunked = " in chunks" if ask.chunked else ""
    cookies = " with the cookies it has" if ask.keep_cookies else ""
    again = f", again for up to {ask.until:g} s" if ask.until else ""
    changes = "".join(f"{id_} becomes {_behaves(behaviour)}\n" for id_, behaviour in ask.become.items())
    return f"{title}{changes}{ask.method} {ask.path}{host}{headers}{body}{chunked}{cookies}{times}{again}"


def _behaves(behaviour: Behaviour) -> str:
    told = [f"{name}: {value}" for name, value in behaviour.model_dump().items() if value != _USUAL[name]]
    return ", ".join(told) or "usual"


def _expected(expect: Expect) -> str:
    parts = [
        f"{name.replace('_', ' ')} {value}"
        for name in ("status", "cluster", "endpoint", "path", "host", "body_bytes", "content_type", "body")
        if (value := getattr(expect, name)) is not None
    ]
    parts.extend(f"status {status} x{_range(number)}" for status, number in (expect.statuses or {}).items())
    parts.extend(f"{endpoint} x{_range(number)}" for endpoint, number in (expect.endpoints or {}).items())
    parts.extend(f"{who} asked x{_range(number)}" for who, number in (expect.asked or {}).items())
    parts.extend(f"copies to {who} x{_range(number)}" for who, number in (expect.mirrored or {}).items())
    if expect.slower_than is not None:
        parts.append(f"{_range(expect.slower_than.times)} of {expect.slower_than.ms:g} ms or longer")
    parts.extend(f"{name}: {value or 'absent'}" for name, value in expect.headers.items())
    parts.extend(f"response {name}: {value or 'absent'}" for name, value in expect.response_headers.items())
    return "\n".join(parts)


def _range(count: Count) -> str:
    return str(count) if isinstance(count, int) else f"{count[0]} to {count[1]}"


def _summary(happened: Happened, counts: Counter[str], statuses: Counter[str]) -> str:
    first = happened.answers[0]
    if len(statuses) > 1:
        said = ", ".join(f"{status} x{count}" for status, count in sorted(statuses.items()))
    elif not first.seen:
        said = f"{first.status} from Envoy"
    else:
        many = len(happened.answers) > 1
        who = ", ".join(f"{endpoint} x{count}" if many else endpoint for endpoint, count in counts.items())
        said = f"{first.status} from {first.seen['cluster']}: {who}"
    asked = ", ".join(f"{who} x{count}" for who, count in happened.asked.items())
    said += f"; asked: {asked}" if asked else ""
    return said + "".join(f"; {count} copies to {who}" for who, count in happened.copies.items())
