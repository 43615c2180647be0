"""Runs a scenario: real engines decide and learn; only the clock, the clients and the servers are played.

Time jumps from one event to the next, so an hour of traffic takes as long as its requests take to decide. The
same seed gives the same run. Clients have a stream of chance of their own, so that two strategies that are
compared meet the same requests.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from math import inf
from random import Random
from typing import Final

from sidecar.core.decision import Answer, Decision
from sidecar.core.endpoint import Endpoint
from sidecar.core.engine import Engine
from sidecar.core.outcome import Failure, Outcome
from sidecar.core.plan import Plan
from sidecar.core.refusal import Refusal
from sidecar.core.request import Request
from sidecar.core.retries import EXPONENTIAL, FIBONACCI, LINEAR, NONE, Backoff, Retries
from sidecar.core.state.memory import State
from sidecar.core.state.reports import UNKNOWN
from sidecar.sim.result import DIRECT, HIT, MISS, NOBODY, Played, Result
from sidecar.sim.scenario import Change, Scenario, Server

_CONNECT_S: Final = 0.001
"""How long it takes to be told that nobody listens, that the queue is full, or that a quota is used up."""

_AGAIN: Final = Retries(1_000, tuple(range(500, 600)), (Failure.CONNECTION,), ())
"""Where a decision has fallbacks, and its route does not say when they are tried."""

_EXPIRE_EACH_S: Final = 1.0
_QUOTA_S: Final = 60.0
_STEPS: Final = 60

Told = Callable[[float], object]
"""Is told now and then which share of the scenario's time is over."""


def simulate(plan: Plan, scenario: Scenario) -> Result:
    """What became of the requests. Every endpoint that gets one needs a server: else ValueError."""
    return play(plan, scenario).requests


def play(plan: Plan, scenario: Scenario, told: Told | None = None) -> Played:
    """As `simulate`, with what the endpoints saw."""
    return Simulation(plan, scenario).play(told)


class _Job:
    """A client's request. `number` is its place in the result, `attempt` that of the attempt that is under
    way, negative for none, and `sent_at` when that was sent. `fallbacks` are those that are left to try."""

    __slots__ = (
        "address",
        "attempt",
        "attempts",
        "came_at",
        "engine",
        "fallbacks",
        "number",
        "over",
        "request",
        "retries",
        "sent_at",
        "ticket",
    )

    def __init__(
        self,
        number: int,
        request: Request,
        engine: Engine,
        ticket: int,
        came_at: float,
        fallbacks: deque[Endpoint],
        retries: Retries | None,
    ) -> None:
        self.number: Final = number
        self.request: Final = request
        self.engine: Final = engine
        self.ticket: Final = ticket
        self.came_at: Final = came_at
        self.fallbacks: Final = fallbacks
        self.retries: Final = retries
        self.over = False
        self.address = ""
        self.attempts = 0
        self.attempt = -1
        self.sent_at = came_at


class _Place:
    """A server as it is now. `busy_s` is the work done until `seen_at`, in seconds of one request."""

    def __init__(self, number: int, key: str, server: Server) -> None:
        self.number: Final = number
        self.key: Final = key
        self.server: Final = server
        self.slower = 1.0
        self.failure_share = server.failure_share
        self.down = False
        self.working = 0
        self.waiting: Final[deque[tuple[_Job, int]]] = deque()
        self.seen_at = 0.0
        self.busy_s = 0.0
        self.reported_s = 0.0
        self.sampled_s = 0.0
        self.samples: Final[list[float]] = []
        self.cached: Final[OrderedDict[str, None]] = OrderedDict()
        self.hits = 0
        self.asked = 0
        self.minute = 0
        self.used = 0

    def pass_time(self, now: float) -> None:
        self.busy_s += self.working * (now - self.seen_at)
        self.seen_at = now

    def quota_used(self, now: float) -> float:
        """0 to 1 of this minute's; 0 without a quota."""
        minute = int(now / _QUOTA_S)
        if minute != self.minute:
            self.minute, self.used = minute, 0
        quota = self.server.quota_per_minute
        return self.used / quota if quota else 0.0

    def found(self, key: str, most: int) -> bool:
        """Whether the cache had it; it has it from now on, and gives up what was asked for least lately."""
        cached = self.cached
        self.asked += 1
        if key in cached:
            cached.move_to_end(key)
            self.hits += 1
            return True
        cached[key] = None
        if len(cached) > most:
            cached.popitem(last=False)
        return False


class Simulation:
    """One run. `engines` are the sidecars, each with a state and a stream of chance of its own."""

    def __init__(self, plan: Plan, scenario: Scenario) -> None:
        self.engines: Final = [
            Engine(plan, State(epoch=at + 1), Random(f"{scenario.seed} sidecar {at}"))
            for at in range(scenario.sidecars)
        ]
        self._scenario: Final = scenario
        self._step_s: Final = scenario.duration_s / _STEPS
        self._clients: Final = Random(f"{scenario.seed} clients")
        self._chance: Final = Random(f"{scenario.seed} servers")
        self._places: Final = {
            key: _Place(number, key, server) for number, (key, server) in enumerate(scenario.servers.items())
        }
        self._events: Final[list[tuple[float, int, Callable[[float], object]]]] = []
        self._planned = 0
        self._told: Told | None = None
        self._reasons: Final[dict[int, str]] = {}
        self._hits: Final[dict[int, int]] = {}
        self._requests: Final = Result(list(self._places), [], [], [], [], self._reasons)
        self._attempts: Final = Result(list(self._places), [], [], [], [], hits=self._hits)

    def run(self) -> Result:
        return self.play().requests

    def play(self, told: Told | None = None) -> Played:
        """Clients come for as long as the scenario says; then the servers finish what they have."""
        scenario, events = self._scenario, self._events
        self._told = told
        for change in scenario.changes:
            self._at(change.at_s, partial(self._change, change))
        self._at(_EXPIRE_EACH_S, self._expire)
        self._at(self._step_s, self._sample)
        if scenario.reports_every_s > 0.0:
            self._at(scenario.reports_every_s, self._report)
        next_at = self._clients.expovariate(scenario.rate)
        while next_at < scenario.duration_s:
            while events and events[0][0] <= next_at:
                at, _, happen = heappop(events)
                happen(at)
            self._come(next_at)
            next_at += self._clients.expovariate(scenario.rate)
        while events:
            at, _, happen = heappop(events)
            happen(at)
        busy = {key: place.samples for key, place in self._places.items()}
        return Played(self._requests, self._attempts, self._step_s, busy)

    def _at(self, time: float, happen: Callable[[float], object]) -> None:
        self._planned += 1  # so that no two events are alike
        heappush(self._events, (time, self._planned, happen))

    def _come(self, now: float) -> None:
        """A client asks one of the sidecars, and goes where it says."""
        engines, clients = self.engines, self._clients
        request = self._scenario.request(clients)
        request.received_at = self._scenario.starts_at + now
        engine = engines[int(clients.random() * len(engines))]
        answer = engine.decide(request, now)
        if not isinstance(answer, Decision):
            self._answer(answer, now)
            return
        assert answer.ticket is not None
        requests = self._requests
        retries = _AGAIN if answer.route.retries is None else answer.retries
        job = _Job(len(requests), request, engine, answer.ticket.id, now, deque(answer.fallbacks), retries)
        _begin(requests, self._place(answer.endpoint.key, now).number, now)
        timeout_s, own_s = self._scenario.timeout_s, answer.route.timeout_s
        if 0.0 < own_s < timeout_s:
            timeout_s = own_s
        if timeout_s < inf:
            self._at(now + timeout_s, partial(self._end, job, 0, Failure.TIMEOUT))
        drawn = answer.drawn
        if drawn is None:
            self._send(job, answer.endpoint, now)
        elif drawn.abort_status:
            self._at(
                now + drawn.delay_ms / 1000, partial(self._end, job, drawn.abort_status, Failure.REFUSED)
            )
        else:
            self._at(now + drawn.delay_ms / 1000, partial(self._send, job, answer.endpoint))

    def _answer(self, answer: Answer, now: float) -> None:
        """The request goes to no endpoint."""
        number = len(self._requests)
        if isinstance(answer, Refusal):
            self._reasons[number] = answer.reason.value
            _begin(self._requests, NOBODY, now)
            self._requests.failed[-1] = True
        else:
            assert not isinstance(answer, Decision)
            self._reasons[number] = f"{answer.status} by {answer.route}"
            _begin(self._requests, DIRECT, now)

    def _place(self, key: str, now: float) -> _Place:
        place = self._places.get(key)
        if place is None:
            raise ValueError(f"servers has none for {key}, which gets a request at {now:.3g} s")
        return place

    def _send(self, job: _Job, endpoint: Endpoint, now: float) -> None:
        """The next attempt."""
        if job.over:
            return
        place = self._place(endpoint.key, now)
        server = place.server
        job.attempts += 1
        job.address = endpoint.address
        job.attempt = attempt = len(self._attempts)
        job.sent_at = now
        _begin(self._attempts, place.number, now)
        if job.retries is not None and job.retries.per_try_s > 0.0:
            self._at(now + job.retries.per_try_s, partial(self._attempted, job, attempt, 0, Failure.TIMEOUT))
        if place.down:
            self._at(now + _CONNECT_S, partial(self._attempted, job, attempt, 0, Failure.CONNECTION))
        elif server.quota_per_minute and place.quota_used(now) >= 1.0:
            self._at(now + _CONNECT_S, partial(self._attempted, job, attempt, 429, Failure.NONE))
        elif place.working < server.capacity:
            place.used += 1
            self._work(place, job, now)
        elif len(place.waiting) < server.queue:
            place.used += 1
            place.waiting.append((job, attempt))
        else:
            self._at(now + _CONNECT_S, partial(self._attempted, job, attempt, 503, Failure.NONE))

    def _work(self, place: _Place, job: _Job, now: float) -> None:
        place.pass_time(now)
        place.working += 1
        server = place.server
        chance = self._chance
        work_s = server.service.draw(chance) * place.slower
        if server.work is not None:
            work_s *= server.work(job.request)
        cache = server.cache
        if cache is not None:
            key = cache.key(job.request)
            if key is not None:
                hit = place.found(key, cache.keys)
                self._hits[job.attempt] = HIT if hit else MISS
                if hit:
                    work_s *= cache.hit_takes
        status = 200
        if place.failure_share > 0.0 and chance.random() < place.failure_share:
            status = 500
            if server.failure_s >= 0.0:
                work_s = server.failure_s
        self._at(now + work_s, partial(self._finish, place, job, job.attempt, status))

    def _finish(self, place: _Place, job: _Job, attempt: int, status: int, now: float) -> None:
        self._attempted(job, attempt, status, Failure.NONE, now)
        place.pass_time(now)
        place.working -= 1
        while place.waiting:
            following, its_attempt = place.waiting.popleft()
            if following.attempt == its_attempt:  # else nobody waits for it any more
                self._work(place, following, now)
                break

    def _attempted(self, job: _Job, attempt: int, status: int, failure: Failure, now: float) -> None:
        """The endpoint has answered, or can't: the next fallback is tried, or the client has its answer."""
        if job.attempt != attempt:
            return
        retries = job.retries
        if (
            retries is None
            or not job.fallbacks
            or job.attempts >= retries.attempts
            or (failure not in retries.failures if status == 0 else status not in retries.statuses)
        ):
            self._end(job, status, failure, now)
            return
        self._end_attempt(job, status, failure, now)
        wait_s = _wait_s(retries.backoff, job.attempts, self._chance)
        self._at(now + wait_s, partial(self._send, job, job.fallbacks.popleft()))

    def _end(self, job: _Job, status: int, failure: Failure, now: float) -> None:
        """The client has its answer, or gives up; whichever comes first."""
        if job.over:
            return
        job.over = True
        self._end_attempt(job, status, failure, now)
        took_s = now - job.came_at
        self._requests.took_s[job.number] = took_s
        self._requests.failed[job.number] = _failed(status, failure)
        scenario = self._scenario
        if scenario.lost_share > 0.0 and self._chance.random() < scenario.lost_share:
            return
        outcome = Outcome(status, took_s, failure, job.address, max(job.attempts, 1))
        if scenario.feedback_s > 0.0:
            self._at(now + scenario.feedback_s, partial(job.engine.settle, job.ticket, outcome))
        else:
            job.engine.settle(job.ticket, outcome, now)

    def _end_attempt(self, job: _Job, status: int, failure: Failure, now: float) -> None:
        """What is under way ends. Between two attempts nothing is."""
        if job.attempt >= 0:
            self._attempts.took_s[job.attempt] = now - job.sent_at
            self._attempts.failed[job.attempt] = _failed(status, failure)
            job.attempt = -1

    def _change(self, change: Change, _now: float) -> None:
        place = self._places[change.endpoint]
        if change.slower is not None:
            place.slower = change.slower
        if change.failure_share is not None:
            place.failure_share = change.failure_share
        if change.down is not None:
            place.down = change.down

    def _report(self, now: float) -> None:
        for place in self._places.values():
            place.pass_time(now)
            utilisation = (place.busy_s - place.reported_s) / (
                place.server.capacity * self._scenario.reports_every_s
            )
            hit_rate = place.hits / place.asked if place.asked else UNKNOWN
            place.reported_s, place.hits, place.asked = place.busy_s, 0, 0
            if place.down:
                continue
            quota_used = place.quota_used(now) if place.server.quota_per_minute else UNKNOWN
            for engine in self.engines:
                engine.state.reports.told(
                    place.key,
                    now,
                    utilisation=utilisation,
                    quota_used=quota_used,
                    cache_hit_rate=hit_rate,
                )
        if now < self._scenario.duration_s:
            self._at(now + self._scenario.reports_every_s, self._report)

    def _sample(self, now: float) -> None:
        for place in self._places.values():
            place.pass_time(now)
            busy_s = place.busy_s - place.sampled_s
            place.sampled_s = place.busy_s
            place.samples.append(busy_s / (place.server.capacity * self._step_s))
        done = len(next(iter(self._places.values())).samples)
        if self._told is not None:
            self._told(done / _STEPS)
        if done < _STEPS:
            self._at((done + 1) * self._step_s, self._sample)

    def _expire(self, now: float) -> None:
        open_at = [engine.expire(now) for engine in self.engines]
        if now < self._scenario.duration_s or any(at is not None for at in open_at):
            self._at(now + _EXPIRE_EACH_S, self._expire)


def _begin(result: Result, went_to: int, now: float) -> None:
    """A row of which the rest is known at its end."""
    result.came_at.append(now)
    result.went_to.append(went_to)
    result.took_s.append(0.0)
    result.failed.append(False)


def _wait_s(backoff: Backoff, retry: int, rng: Random) -> float:
    """Before this retry, which counts from 1."""
    wait_s = backoff.base_s
    if backoff.kind == NONE:
        return 0.0
    if backoff.kind == EXPONENTIAL:
        wait_s *= backoff.factor ** (retry - 1)
    elif backoff.kind == LINEAR:
        wait_s *= retry
    elif backoff.kind == FIBONACCI:
        before = 0.0
        for _ in range(retry - 1):
            before, wait_s = wait_s, before + wait_s
    wait_s = min(wait_s, backoff.max_s)
    return wait_s * rng.random() if backoff.jitter else wait_s


def _failed(status: int, failure: Failure) -> bool:
    return status >= 500 or status == 429 or failure is not Failure.NONE
