"""A changed file is applied, a bad one changes nothing."""

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from sidecar.config.changes import put_route
from sidecar.config.load import load
from sidecar.core.plan import Plan
from sidecar.runtime.measures import Measures
from sidecar.runtime.reload import Reloader
from tests.waiting import until_in_loop

pytestmark = pytest.mark.usefixtures("each_transport")

CLUSTERS = "clusters: {shop: {}, other: {}}\n"
FIRST = CLUSTERS + "routes: [{name: first, match: {path: /a}, to: shop}, {name: rest, to: other}]\n"
SECOND = CLUSTERS + "routes: [{name: second, match: {path: /b}, to: shop}, {name: rest, to: other}]\n"
BAD = CLUSTERS + "routes: [{name: third, match: {path: /c}, to: shopp}, {name: rest, to: other}]\n"


@dataclass
class Watched:
    """A file under watch, and what came of it."""

    path: Path
    every_s: float
    measures: Measures = field(default_factory=Measures)
    plans: list[Plan] = field(default_factory=list)
    log: list[MutableMapping[str, Any]] = field(default_factory=list)
    broken: str = ""
    """A plan whose first route has this name makes a bug show."""

    def swap(self, plan: Plan) -> None:
        if plan.routes[0].name == self.broken:
            raise ZeroDivisionError("a bug in a strategy")
        self.plans.append(plan)

    def watch(self) -> Reloader:
        self.reloader = Reloader(self.path, load(self.path, 1), self.swap, self.measures, self.every_s)
        return self.reloader

    def names(self) -> list[list[str]]:
        return [[route.name for route in plan.routes] for plan in self.plans]

    async def reloads(self, **results: int) -> None:
        """Wait until they are so many."""
        wanted = {"applied": 0, "refused": 0, "unchanged": 0, **results}
        await until_in_loop(lambda: self.measures.reloads == wanted, f"{wanted} of {self.measures.reloads}")

    def write(self, text: str) -> None:
        """All at once, as editors and Kubernetes do: another file takes the name."""
        beside = self.path.with_suffix(".new")
        beside.write_text(text)
        beside.rename(self.path)

    def events(self) -> list[str]:
        return [line["event"] for line in self.log]


def watching(path: Path, ask: Callable[[Watched], Awaitable[None]], every_s: float = 0.005) -> None:
    """Run `ask` while the file is looked at every 5 ms."""
    path.write_text(FIRST)

    async def run() -> None:
        watched = Watched(path, every_s)
        with capture_logs() as watched.log:
            task = asyncio.create_task(watched.watch().watch())
            try:
                await ask(watched)
            finally:
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

    asyncio.run(run())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gateway.yaml"


def test_a_changed_file_is_applied_as_the_next_generation(file: Path) -> None:
    """V4"""

    async def ask(watched: Watched) -> None:
        watched.path.write_text(SECOND)
        await watched.reloads(applied=1)
        watched.path.write_text(FIRST)
        await watched.reloads(applied=2)
        assert [plan.generation for plan in watched.plans] == [2, 3]
        assert watched.names() == [["second", "rest"], ["first", "rest"]]
        assert watched.log[0] == {
            "event": "config_applied",
            "generation": 2,
            "routes": 2,
            "notes": [],
            "log_level": "info",
        }

    watching(file, ask)


def test_a_file_that_is_replaced_is_applied(file: Path) -> None:
    """V4"""

    async def ask(watched: Watched) -> None:
        watched.write(SECOND)
        await watched.reloads(applied=1)

    watching(file, ask)


def test_a_link_that_points_elsewhere_is_applied(file: Path) -> None:
    """V4: a mounted ConfigMap is a link to a link to a folder, and the link changes."""

    async def ask(watched: Watched) -> None:
        target = watched.path.with_name("second.yaml")
        target.write_text(SECOND)
        link = watched.path.with_name("link")
        link.symlink_to(target)
        link.rename(watched.path)
        await watched.reloads(applied=1)

    watching(file, ask)


def test_a_bad_file_is_refused_with_its_reason_and_changes_nothing(file: Path) -> None:
    """V4"""

    async def ask(watched: Watched) -> None:
        watched.write(BAD)
        await watched.reloads(refused=1)
        assert watched.plans == []
        (line,) = watched.log
        assert (line["event"], line["log_level"], line["keeps_generation"]) == (
            "config_refused",
            "warning",
            1,
        )
        assert line["problem"] == (
            f'{watched.path}:2: routes[0].to: there is no cluster or endpoint "shopp"; did you mean shop?'
        )

        watched.write(SECOND)
        await watched.reloads(refused=1, applied=1)
        assert watched.plans[0].generation == 2

    watching(file, ask)


def test_every_problem_of_a_bad_file_is_a_line_of_the_log(file: Path) -> None:
    """V4"""

    async def ask(watched: Watched) -> None:
        watched.write(CLUSTERS + "routes: [{name: a, to: nowhere}, {name: b, too: shop}]\nlisten: 7\n")
        await watched.reloads(refused=1)
        assert len(watched.log) >= 3
        assert set(watched.events()) == {"config_refused"}

    watching(file, ask)


def test_a_file_may_vanish_and_come_back(file: Path) -> None:
    """V4"""

    async def ask(watched: Watched) -> None:
        watched.path.unlink()
        await watched.reloads(refused=1)
        assert watched.log[0]["problem"] == f"{watched.path}: cannot be read: no such file or directory"
        watched.write(FIRST)
        await watched.reloads(refused=1, unchanged=1)
        watched.path.unlink()
        await watched.reloads(refused=2, unchanged=1)
        watched.write(SECOND)
        await watched.reloads(refused=2, unchanged=1, applied=1)

    watching(file, ask)


def test_the_same_content_makes_no_new_generation(file: Path) -> None:
    """V4: nor does a comment."""

    async def ask(watched: Watched) -> None:
        watched.write(FIRST)
        await watched.reloads(unchanged=1)
        watched.write(FIRST + "# nothing new\n")
        await watched.reloads(unchanged=2)
        assert watched.plans == []
        assert watched.events() == ["config_unchanged"] * 2

    watching(file, ask)


def test_reloads_at_once_when_it_is_told_to(file: Path) -> None:
    """V4: without waiting for the next look, be the file changed or not."""

    async def ask(watched: Watched) -> None:
        watched.reloader.tell()
        await watched.reloads(unchanged=1)
        watched.write(SECOND)
        watched.reloader.tell()
        await watched.reloads(unchanged=1, applied=1)

    watching(file, ask, every_s=3600.0)


def test_what_changes_during_a_reload_is_seen_by_the_next(file: Path) -> None:
    """V4"""

    async def ask(watched: Watched) -> None:
        for text in (SECOND, FIRST, SECOND):
            watched.write(text)
            watched.reloader.tell()
        await until_in_loop(lambda: watched.names()[-1:] == [["second", "rest"]], "the last one")

    watching(file, ask, every_s=3600.0)


def test_says_what_only_a_restart_can_change(file: Path) -> None:
    """V4"""

    async def ask(watched: Watched) -> None:
        watched.write(FIRST + "tickets: {lease: 1m}\n")
        await watched.reloads(applied=1)
        assert watched.log[-1]["event"] == "config_applied"
        watched.write(FIRST + "tickets: {lease: 1m, most: 1000}\n")
        await watched.reloads(applied=2)
        assert watched.log[-1]["event"] == "restart_needed"
        only = (
            "listen, store, tickets.most, envoy.feedback, envoy.endpoint_picker and, "
            "with feedback by response, envoy.tokens are read at start only"
        )
        assert watched.log[-1]["reason"] == only
        watched.write(FIRST + "tickets: {lease: 1m, most: 1000}\nstore: {sqlite: state.db}\n")
        await watched.reloads(applied=3)
        assert watched.log[-1]["event"] == "restart_needed"


def test_says_when_envoy_needs_its_configuration_anew(file: Path) -> None:
    """V4: what Envoy itself performs does not change with the sidecar's plan."""

    async def ask(watched: Watched) -> None:
        watched.write(FIRST + "envoy: {message_timeout: 300ms}\n")
        await watched.reloads(applied=1)
        assert watched.log[-1]["event"] == "envoy_outdated"
        watched.write(FIRST + "envoy: {message_timeout: 300ms}\ncontext: {client_ip: {trusted_hops: 1}}\n")
        await watched.reloads(applied=2)
        assert [line["event"] for line in watched.log].count("envoy_outdated") == 2

    watching(file, ask)


def test_says_nothing_of_envoy_where_only_the_sidecar_judges_otherwise(file: Path) -> None:
    """V4 H5: breakers, probes and prices are none of Envoy's."""

    async def ask(watched: Watched) -> None:
        before = len(watched.log)
        watched.write(FIRST.replace("shop: {}", "shop: {breaker: {failures: 3}, slow_start: 5s}"))
        await watched.reloads(applied=1)
        assert "envoy_outdated" not in [line["event"] for line in watched.log[before:]]

    watching(file, ask)


def test_says_which_keys_envoy_needs_anew(file: Path) -> None:
    """V4"""
    routes = "routes: [{name: first, to: shop, buffer: 2MB, idle_timeout: 1s}, {name: rest, to: other}]\n"

    async def ask(watched: Watched) -> None:
        watched.write("clusters: {shop: {}, other: {}, third: {}}\non_error: shop\n" + routes)
        await watched.reloads(applied=1)
        assert watched.log[-1]["keys"] == (
            "on_error, clusters.third, routes[first].idle_timeout, routes[first].buffer"
        )

    watching(file, ask)


def test_envoy_is_not_outdated_by_going_back_to_what_it_was_given(file: Path) -> None:
    """V4 M17: a change by command is in no file that Envoy was ever given, so reading that again needs
    nothing. Another file may be what Envoy has by now, so going back to an older one does."""

    def outdated(watched: Watched) -> list[str]:
        return [line["keys"] for line in watched.log if line["event"] == "envoy_outdated"]

    async def ask(watched: Watched) -> None:
        route = {"name": "first", "to": "shop", "buffer": "2MB"}
        done = await watched.reloader.change(put_route(route), "a test")
        assert outdated(watched) == ["routes[first].buffer"]
        assert "routes[first].buffer" in done.notes[-1]
        done = await watched.reloader.change(put_route({**route, "timeout": "1s"}), "a test")
        assert done.notes == []
        watched.reloader.tell()
        await watched.reloads(applied=3)
        assert len(outdated(watched)) == 1
        await watched.reloader.change(put_route(route), "a test")
        done = await watched.reloader.change(put_route({"name": "first", "to": "shop"}), "a test")
        assert done.notes == []
        assert len(outdated(watched)) == 2

        watched.write(FIRST + "on_error: shop\n")
        await watched.reloads(applied=6)
        watched.write(FIRST)
        await watched.reloads(applied=7)
        assert outdated(watched)[2:] == ["on_error", "on_error"]

    watching(file, ask, every_s=0.005)


def acting(does: str, cluster: str = "{}") -> str:
    return (
        f"clusters: {{shop: {cluster}, other: {{}}, third: {{}}}}\nroutes: [{{name: r, to: shop, {does}}}]\n"
    )


@pytest.mark.parametrize(
    ("before", "after", "outdated"),
    [
        ("timeout: 1s", "timeout: 2s", False),
        ("labels: {a: b}", "labels: {a: c}", False),
        ("rewrite: {host: a}", "rewrite: {host: b}", False),
        ("fault: {delay: {for: 1s}}", "fault: {abort: {share: 1%}}", False),
        ("enabled: true", "fault: {delay: {for: 1s}}", True),
        ("mirror: {to: other}", "mirror: {to: other, share: 1%}", False),
        ("mirror: {to: other}", "mirror: {to: third}", True),
        ("enabled: true", "mirror: {to: other}", True),
        ("idle_timeout: 1s", "idle_timeout: 2s", True),
        ("buffer: 1MB", "buffer: 2MB", True),
        ("enabled: true", "priority_class: high", True),
        ("enabled: true", "retry: {backoff: none}", True),
        ("enabled: true", "retry: {attempts: 2}", False),
        ("enabled: true", "failover: [other]", True),
        ("failover: [other]", "failover: [{to: other, strategy: random}]", False),
        ("enabled: true", "sticky: {by: user}", False),
        ("enabled: true", "sticky: {cookie: a}", True),
        ("sticky: {cookie: a}", "sticky: {cookie: b, timeout: 1s}", False),
        ("headers: {response: {set: {a: b}}}", "headers: {response: {set: {a: c}}}", True),
        ("mirror: {to: other}, buffer: 1MB", "mirror: {to: other, share: 1%}, buffer: 1MB", False),
        ("enabled: true", "cache: {}", True),
        ("cache: {}", "enabled: true", True),
        ("cache: {}", "cache: {vary: [a]}", True),
        ("enabled: true", "last_good: {}", True),
        ("last_good: {}", "last_good: {refresh: 1s}", False),
    ],
)
def test_what_the_sidecar_draws_and_says_changes_without_envoy(
    file: Path, before: str, after: str, outdated: bool
) -> None:
    """V4, A5, A6, A7"""

    async def ask(watched: Watched) -> None:
        watched.write(acting(before))
        await watched.reloads(applied=1)
        watched.log.clear()
        watched.write(acting(after))
        await watched.reloads(applied=2)
        assert ("envoy_outdated" in watched.events()) == outdated

    watching(file, ask)


def test_limits_of_connections_need_envoy_anew(file: Path) -> None:
    """V4"""

    async def ask(watched: Watched) -> None:
        watched.write(acting("enabled: true", "{connections: {max: 1}}"))
        await watched.reloads(applied=1)
        assert "envoy_outdated" in watched.events()

    watching(file, ask)


def test_a_file_that_may_not_be_read_is_refused(file: Path) -> None:
    """V4"""

    async def ask(watched: Watched) -> None:
        watched.path.unlink()
        watched.path.mkdir()
        await watched.reloads(refused=1)
        assert watched.log[0]["problem"] == f"{watched.path}: cannot be read: is a directory"

    watching(file, ask)


def test_a_bug_while_applying_does_not_end_the_watch(file: Path) -> None:
    """V4, checklist 17: one bad moment must not freeze the configuration for good."""

    async def ask(watched: Watched) -> None:
        watched.broken = "second"
        watched.write(SECOND)
        await watched.reloads(refused=1)
        assert watched.log[0]["event"] == "reload_failed"
        assert watched.log[0]["error"] == "ZeroDivisionError('a bug in a strategy')"
        watched.broken = ""
        watched.write(SECOND + "# again\n")  # what was not applied is new still
        await watched.reloads(refused=1, applied=1)
        assert watched.names() == [["second", "rest"]]

    watching(file, ask)


def test_a_file_is_looked_at_by_its_time_size_and_number(file: Path) -> None:
    """V4: a change within the clock's grain still shows in the others."""

    async def ask(watched: Watched) -> None:
        before = watched.path.stat()
        watched.write(SECOND + "\n")
        os.utime(watched.path, ns=(before.st_atime_ns, before.st_mtime_ns))
        await watched.reloads(applied=1)

    watching(file, ask)
