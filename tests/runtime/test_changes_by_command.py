"""A running sidecar is changed by command: routes and country gates, until its file is read again."""

import asyncio
import http.client
import json
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from sidecar.config.changes import switch_route
from sidecar.config.load import load
from sidecar.core.plan import Plan
from sidecar.runtime.changes import changes
from sidecar.runtime.http import configured
from sidecar.runtime.measures import Measures
from sidecar.runtime.reload import Reloader
from tests.databases import write_countries
from tests.running.sidecar import run
from tests.runtime.sidecars import Process, process
from tests.waiting import until, until_in_loop

FILE = """\
listen: {grpc: '127.0.0.1:0', admin: '127.0.0.1:0', drain: 1s}
clusters: {shop: {endpoints: [{address: '10.0.0.1:80', id: a}]}}
gates: [{country: {allow: [DE]}}]
routes: [{name: shop, match: {path: {prefix: /shop}}, to: shop}, {name: rest, to: shop}]
"""
JSON = {"content-type": "application/json"}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Process]:
    with process(tmp_path, FILE) as one:
        one.wait_ready()
        yield one


def told(
    one: Process, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    """Status and answer of the admin address."""
    connection = http.client.HTTPConnection(one.wait_ready()["admin"], timeout=10)
    try:
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        connection.request(method, path, data, JSON if headers is None else headers)
        response = connection.getresponse()
        said = response.read()
    finally:
        connection.close()
    return response.status, json.loads(said) if said.startswith(b"{") else {}


def in_force(one: Process) -> int:
    return int(one.sample("sidecar_config_generation") or 0)


@pytest.mark.usefixtures("each_transport")
def test_routes_are_put_switched_and_deleted(tmp_path: Path) -> None:
    """M17: each is a new generation, and a line of the log says who asked for what."""
    with process(tmp_path, FILE) as one:
        admin = one.wait_ready()["admin"]
        file = tmp_path / "route.yaml"
        file.write_text("name: new\nmatch: {path: /new}\nto: shop\n")
        lasts = ", until the file is changed or read again\n"

        added = run("routes", "put", file, "--admin", admin)
        disabled = run("routes", "disable", "new", "--admin", admin)
        enabled = run("routes", "enable", "new", "--admin", admin)
        deleted = run("routes", "delete", "new", "--admin", admin)

        assert [each.stdout + each.stderr for each in (added, disabled, enabled, deleted)] == [
            f"the route new is added (generation 2){lasts}",
            f"the route new is switched off (generation 3){lasts}",
            f"the route new is switched on (generation 4){lasts}",
            f"the route new is deleted (generation 5){lasts}",
        ]
        assert [each.returncode for each in (added, disabled, enabled, deleted)] == [0, 0, 0, 0]
        assert in_force(one) == 5
        until(lambda: len(one.events("config_changed")) == 4, "the log")
        line = one.events("config_changed")[1]
        assert (line["change"], line["by"], line["generation"]) == (
            "the route new is switched off",
            "127.0.0.1",
            3,
        )
        assert [each["routes"] for each in one.events("config_applied")] == [3, 3, 3, 2]


def test_a_command_says_what_its_change_does_not_reach(running: Process, tmp_path: Path) -> None:
    """M17: a change may be sound and yet do nothing. What was so before is not told again."""
    admin = running.wait_ready()["admin"]
    file = tmp_path / "route.yaml"

    def put(text: str) -> list[str]:
        file.write_text(text)
        done = run("routes", "put", file, "--admin", admin)
        assert done.returncode == 0
        return done.stderr.splitlines()

    assert put("{name: new, match: {path: /new}, to: shop, idle_timeout: 1s}") == [
        (
            "note: Envoy still has the old routes[new].idle_timeout: "
            "write the change into the file, and give Envoy what `sidecar envoy` prints then"
        )
    ]
    unreached = "the route late is never reached: new before it matches everything"
    assert put("{name: new, to: shop, priority: 9}")[0].startswith("note: ")
    assert f"note: routes[3]: {unreached}" in put("{name: late, match: {path: /late}, to: shop}")
    assert put("{name: late, match: {path: /later}, to: shop}") == []
    assert put("{name: late, match: {path: /later}, to: shop, enabled: false}") == [
        "note: routes[3]: the route late is switched off"
    ]
    status, answer = told(running, "DELETE", "/v1/routes/shop")
    assert (status, answer["notes"]) == (200, [])


@pytest.mark.usefixtures("each_transport")
def test_country_gates_are_overridden(tmp_path: Path) -> None:
    """X2"""
    with process(tmp_path, FILE) as one:
        admin = one.wait_ready()["admin"]

        on = run("override", "country", "on", "--admin", admin)
        again = run("override", "country", "on", "--gate", "country-1", "--admin", admin)
        off = run("override", "country", "off", "--admin", admin)

        assert "the country gate country-1 lets everybody pass (generation 2)" in on.stdout
        assert "nothing to do: the country gate country-1 lets everybody pass (generation 2)" in again.stdout
        assert "the country gate country-1 refuses again (generation 3)" in off.stdout


def test_a_change_lasts_until_the_file_is_read_again(tmp_path: Path) -> None:
    """M17: which it is when it has changed, or when the sidecar is told to."""
    with process(tmp_path, FILE) as one:
        assert told(one, "DELETE", "/v1/routes/shop")[0] == 200
        one.tell(signal.SIGHUP)
        until(lambda: in_force(one) == 3, "the file, once more")

        assert [each["routes"] for each in one.events("config_applied")] == [1, 2]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("PUT", "/v1/routes/new", {"to": "shp"}, 400, "the configuration stays as it is"),
        ("PUT", "/v1/routes/new", {"name": "other", "to": "shop"}, 400, 'name must be "new" as in the path'),
        ("PUT", "/v1/routes/new", b"{", 400, "the body is no JSON"),
        ("PUT", "/v1/routes/new", b"", 400, "the body is no JSON"),
        ("PUT", "/v1/routes/new", b"\xff", 400, "the body is no JSON"),
        ("PUT", "/v1/routes/new", b"[" * 100_000, 400, "the body is no JSON"),
        ("PUT", "/v1/routes/new", [1], 400, "the body must be a JSON mapping, got a list"),
        ("PUT", "/v1/routes/new", b" " * 1_100_000, 413, "the body must have at most 1048576 bytes"),
        ("POST", "/v1/routes/shop", {"enabled": "no"}, 400, 'enabled must be true or false, got "no"'),
        ("POST", "/v1/routes/shop", {"enabld": True}, 400, 'unknown key "enabld"; known: enabled'),
        ("POST", "/v1/routes/gone", {"enabled": True}, 404, 'there is no route "gone"; write shop or rest'),
        ("DELETE", "/v1/routes/shp", None, 404, 'there is no route "shp"; did you mean shop?'),
        ("DELETE", "/v1/routes/shop", {"x": 1}, 400, 'unknown key "x"; known: none'),
        ("POST", "/v1/override/country", {"on": True, "gate": "x"}, 404, 'there is no country gate "x"'),
        ("POST", "/v1/override/country", {"on": True, "gate": 1}, 400, "gate must be the name of a gate"),
        ("POST", "/v1/override/country", {}, 400, "on must be true or false, got nothing"),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(
    running: Process, method: str, path: str, body: Any, status: int, error: str
) -> None:
    """M17 X2"""
    generation = in_force(running)

    got, answer = told(running, method, path, body)

    assert (got, answer["error"][: len(error)]) == (status, error)
    assert in_force(running) == generation


def test_a_route_that_is_not_sound_is_told_with_its_remedy(running: Process, tmp_path: Path) -> None:
    """M17 V4"""
    file = tmp_path / "route.yaml"
    file.write_text("{name: new, to: shp}\n")

    refused = run("routes", "put", file, "--admin", running.wait_ready()["admin"])

    assert refused.returncode == 2
    assert refused.stderr == (
        f'{tmp_path / "gateway.yaml"} with this change: routes[2].to: there is no cluster or endpoint "shp"; '
        "did you mean shop?\nthe configuration stays as it is\n"
    )


def test_the_last_route_cannot_be_deleted(running: Process) -> None:
    """M17: that would conflict with what is there, however well it is said."""
    assert told(running, "DELETE", "/v1/routes/shop")[0] == 200
    status, answer = told(running, "DELETE", "/v1/routes/rest")

    assert status == 409
    assert "there are no routes" in answer["problems"][0]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "text/plain"}, 415),
        ({}, 415),
        ({**JSON, "origin": "http://evil.test"}, 403),
        ({**JSON, "origin": "null"}, 403),
    ],
)
def test_no_web_page_can_change_anything(running: Process, headers: dict[str, str], status: int) -> None:
    """X2 X4: a form cannot say that it sends JSON, and a script's request names its page."""
    generation = in_force(running)

    got, _ = told(running, "POST", "/v1/override/country", {"on": True}, headers)

    assert got == status
    assert in_force(running) == generation


@pytest.mark.parametrize(
    ("client", "status"),
    [
        ("127.0.0.1", 404),
        ("127.9.9.9", 404),
        ("::1", 404),
        ("::ffff:127.0.0.1", 404),
        ("203.0.113.9", 403),
        ("10.0.0.1", 403),
        ("2001:db8::1", 403),
        ("", 403),
    ],
)
def test_changes_are_taken_from_this_machine_only(tmp_path: Path, client: str, status: int) -> None:
    """X2: the address may be open to whoever reads metrics."""
    path = tmp_path / "gateway.yaml"
    path.write_text(FILE)

    async def asked() -> int:
        page = Starlette(routes=changes(Reloader(path, load(path, 1), lambda _plan: None, Measures())))
        transport = httpx.ASGITransport(page, client=(client, 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as web:
            return (await web.post("/v1/routes/gone", json={"enabled": True})).status_code

    assert asyncio.run(asked()) == status


@pytest.mark.parametrize("name", ["x-forwarded-for", "forwarded", "x-real-ip"])
def test_no_header_says_who_asks(
    running: Process, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X2 X4: neither that one from elsewhere is here, nor that one from here is elsewhere."""
    for said in ("203.0.113.9", "127.0.0.1"):
        status, _ = told(
            running, "PUT", "/v1/routes/rest", {"to": "shop", "labels": {"a": said}}, {**JSON, name: said}
        )
        assert status == 200
    until(lambda: len(running.events("config_changed")) == 2, "the log")
    assert {line["by"] for line in running.events("config_changed")} == {"127.0.0.1"}

    path = tmp_path / "other.yaml"
    path.write_text(FILE)
    page = Starlette(routes=changes(Reloader(path, load(path, 1), lambda _plan: None, Measures())))
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")

    async def from_elsewhere() -> int:
        served = configured(page).loaded_app
        transport = httpx.ASGITransport(served, client=("203.0.113.9", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as web:
            gone = await web.post("/v1/routes/gone", json={"enabled": True}, headers={name: "127.0.0.1"})
        return gone.status_code

    assert asyncio.run(from_elsewhere()) == 403


def test_a_browser_that_asks_first_is_allowed_nothing(running: Process) -> None:
    """X2 X4"""
    address = f"http://{running.wait_ready()['admin']}/v1/routes/shop"
    asked = urllib.request.Request(
        address,
        method="OPTIONS",
        headers={"origin": "http://evil.test", "access-control-request-method": "PUT"},
    )

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked, timeout=5)

    with refused.value:
        assert refused.value.code == 405
        assert refused.value.headers["access-control-allow-origin"] is None


def test_a_command_without_a_sidecar_says_so() -> None:
    """M17"""
    asked = run("routes", "delete", "shop", "--admin", "127.0.0.1:9")

    assert asked.returncode == 2
    assert asked.stderr == (
        "no sidecar at 127.0.0.1:9: [Errno 111] Connection refused; "
        "name its admin address with --admin HOST:PORT\n"
    )


def test_a_database_that_changes_is_read_and_keeps_what_was_changed_by_command(tmp_path: Path) -> None:
    """M12 M17: an override must not end because a tool updates the countries."""
    path = tmp_path / "gateway.yaml"
    database = write_countries(tmp_path / "countries.mmdb", {"192.0.2.0/24": "DE"})
    path.write_text(
        "clusters: {shop: {}}\n"
        "context: {country: [{geoip: countries.mmdb}]}\n"
        "routes: [{name: german, match: {country: [DE]}, to: shop}, {name: rest, to: shop}]\n"
    )
    plans: list[Plan] = []

    async def change() -> None:
        reloader = Reloader(path, load(path, 1), plans.append, Measures(), every_s=0.005)
        watch = asyncio.create_task(reloader.watch())
        await reloader.change(switch_route("rest", on=False), "a test")
        write_countries(database, {"192.0.2.0/24": "FR"})
        await until_in_loop(lambda: len(plans) == 2, "the new database")
        bad = tmp_path / "bad.mmdb"
        bad.write_bytes(b"none")
        bad.rename(database)
        await until_in_loop(lambda: "config_refused" in [line["event"] for line in log], "the refusal")
        write_countries(database, {"192.0.2.0/24": "DE"})
        await until_in_loop(lambda: len(plans) == 3, "a sound database again")
        watch.cancel()

    with capture_logs() as log:
        asyncio.run(change())

    assert [[route.enabled for route in plan.routes] for plan in plans] == [[True, False]] * 3
    assert [line["event"] for line in log].count("config_refused") == 1
    assert [plan.generation for plan in plans] == [2, 3, 4]


def test_changes_at_the_same_time_are_made_one_after_the_other(running: Process) -> None:
    """M17: none is lost."""

    async def put(number: int) -> int:
        body = {"match": {"path": f"/{number}"}, "to": "shop"}
        return (await asyncio.to_thread(told, running, "PUT", f"/v1/routes/r{number}", body))[0]

    async def all_at_once() -> list[int]:
        return await asyncio.gather(*(put(number) for number in range(20)))

    assert asyncio.run(all_at_once()) == [200] * 20
    assert running.events("config_applied")[-1]["routes"] == 22
    assert in_force(running) == 21
