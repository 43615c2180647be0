"""The tour of a configuration: its own requests sent through Envoy, and what was expected of each."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx

from sidecar.config.schema import Ask, Expect


@dataclass(frozen=True)
class Answer:
    """One response; `seen` is what the small endpoint reported, empty when Envoy answered by itself."""

    status: int
    headers: httpx.Headers
    body: str
    seen: dict[str, Any]


@dataclass(frozen=True)
class Stop:
    """One stop of the tour; `held` when nothing was otherwise than expected."""

    asked: str
    expected: str
    happened: str
    held: bool


async def stops(tour: list[Ask], envoy: str) -> AsyncIterator[Stop]:
    """Send each request in turn, as often as it says, and judge the answers."""
    async with httpx.AsyncClient(base_url=f"http://{envoy}", timeout=30.0, trust_env=False) as client:
        for ask in tour:
            answers = [await _sent(client, ask) for _ in range(ask.times)]
            yield judged(ask, answers)


def judged(ask: Ask, answers: list[Answer]) -> Stop:
    """What was expected against what happened; of several answers each must hold."""
    wrong: list[str] = []
    expect = ask.expect
    for answer in answers:
        wrong.extend(problem for problem in _problems(expect, answer) if problem not in wrong)
    counts = Counter(answer.seen.get("endpoint", "none") for answer in answers)
    if expect.endpoints is not None:
        wrong.extend(_miscounted(expect.endpoints, counts))
    happened = "; ".join(wrong) if wrong else _summary(answers, counts)
    return Stop(_asked(ask), _expected(expect), happened, not wrong)


async def _sent(client: httpx.AsyncClient, ask: Ask) -> Answer:
    headers = dict(ask.headers)
    if ask.host is not None:
        headers["host"] = ask.host
    try:
        response = await client.request(ask.method, ask.path, headers=headers, content=ask.body)
    except httpx.HTTPError as error:
        return Answer(0, httpx.Headers(), f"no answer: {error!r}", {})
    seen: dict[str, Any] = {}
    if response.headers.get("content-type", "").startswith("application/json"):
        parsed = response.json()
        seen = parsed if isinstance(parsed, dict) and "endpoint" in parsed else {}
    return Answer(response.status_code, response.headers, response.text, seen)


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


def _miscounted(wanted: dict[str, int | list[int]], counts: Counter[str]) -> list[str]:
    problems = []
    for endpoint, number in wanted.items():
        lowest, highest = (number, number) if isinstance(number, int) else (number[0], number[1])
        if not lowest <= counts[endpoint] <= highest:
            problems.append(f"{endpoint} got {counts[endpoint]}")
    problems.extend(f"{other} got {counts[other]}" for other in counts if other not in wanted)
    return problems


def _asked(ask: Ask) -> str:
    times = f" x{ask.times}" if ask.times > 1 else ""
    host = f" host={ask.host}" if ask.host else ""
    headers = "".join(f" {name}: {value}" for name, value in ask.headers.items())
    title = f"{ask.name}\n" if ask.name else ""
    return f"{title}{ask.method} {ask.path}{host}{headers}{times}"


def _expected(expect: Expect) -> str:
    parts = [
        f"{name} {value}"
        for name in ("status", "cluster", "endpoint", "path", "host", "body")
        if (value := getattr(expect, name)) is not None
    ]
    for endpoint, number in (expect.endpoints or {}).items():
        parts.append(f"{endpoint} x{number if isinstance(number, int) else f'{number[0]} to {number[1]}'}")
    parts.extend(f"{name}: {value or 'absent'}" for name, value in expect.headers.items())
    parts.extend(f"response {name}: {value or 'absent'}" for name, value in expect.response_headers.items())
    return "\n".join(parts)


def _summary(answers: list[Answer], counts: Counter[str]) -> str:
    first = answers[0]
    if not first.seen:
        return f"{first.status} from Envoy"
    who = ", ".join(
        f"{endpoint} x{count}" if len(answers) > 1 else endpoint for endpoint, count in counts.items()
    )
    return f"{first.status} from {first.seen['cluster']}: {who}"
