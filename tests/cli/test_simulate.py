"""`sidecar simulate`: tables, JSON and pictures of a small scenario, and why one cannot be played."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from sidecar.cli.commands import cli
from tests.sim.files import GATEWAY, SMALL

SLOW = """\
title: One is slow
duration: 20s
warm_up: 5s
rate: 40/s
clients: [{path: /shop}]
servers: {shop/a: {takes: 50ms}, shop/b: {takes: 400ms}}
"""


@pytest.fixture
def gateway(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.yaml"
    path.write_text(GATEWAY)
    return path


def scenario(folder: Path, text: str = SLOW) -> Path:
    path = folder / "scenario.yaml"
    path.write_text(text)
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(cli, ["simulate", *(str(word) for word in words)], prog_name="sidecar")


def data(*words: object) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def rows(text: str) -> dict[str, list[str]]:
    """The cells of each line by the first of them; of several alike, the last."""
    return {cells[0]: cells[1:] for line in text.splitlines() if (cells := line.split())}


def test_the_table_has_each_endpoint_and_all_clients(gateway: Path) -> None:
    result = run(gateway, scenario(gateway.parent))

    assert result.exit_code == 0
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0] == "One is slow: 40 requests/s for 20 s, counted from 5 s on, seed 1"
    assert lines[2] == "configured"
    assert lines[3].split() == ["endpoint", "requests", "share", "failed", "p50", "p95", "p99", "busy"]
    told = rows(result.stdout)
    assert {name for name in told if "/" in name} == {"shop/a", "shop/b"}
    assert int(told["shop/a"][0]) + int(told["shop/b"][0]) == int(told["clients"][0])
    assert told["shop/a"][1] == told["shop/b"][1] == "50.0%"


def test_strategies_are_compared_on_the_same_requests(gateway: Path) -> None:
    result = run(
        gateway,
        scenario(gateway.parent),
        "--strategy",
        "round_robin",
        "--strategy",
        "{least_loaded: {draw: 2}}",
    )

    assert result.exit_code == 0
    _, _, summary = result.stdout.partition("Compared:\n")
    rotated, loaded = summary.splitlines()[1:3]
    assert rotated.split()[:3] == ["round_robin", loaded.split()[3], "0"]
    assert loaded.strip().startswith("{least_loaded: {draw: 2}}")
    told = data(gateway, scenario(gateway.parent), "--strategy", "round_robin", "--strategy", "least_loaded")
    first, second = told["runs"]
    assert (first["strategy"], second["strategy"]) == ("round_robin", "least_loaded")
    assert first["total"]["requests"] == second["total"]["requests"]
    assert second["endpoints"]["shop/b"]["share"] < 0.3 < first["endpoints"]["shop/b"]["share"]
    assert second["total"]["p50_s"] < first["total"]["p50_s"]


def test_the_strategy_of_the_file_can_be_compared_too(gateway: Path) -> None:
    told = data(gateway, scenario(gateway.parent), "--strategy", "configured", "--strategy", "round_robin")

    configured, rotated = told["runs"]
    assert configured["endpoints"] == rotated["endpoints"]


def test_json_has_the_numbers(gateway: Path) -> None:
    path = scenario(gateway.parent)
    told = data(gateway, path)

    assert {key: told[key] for key in ("seed", "duration_s", "warm_up_s", "rate", "title")} == {
        "seed": 1,
        "duration_s": 20.0,
        "warm_up_s": 5.0,
        "rate": 40.0,
        "title": "One is slow",
    }
    assert (told["config"], told["scenario"]) == (str(gateway), str(path))
    (only,) = told["runs"]
    assert only["endpoints"].keys() == {"shop/a", "shop/b"}
    one = only["endpoints"]["shop/a"]
    assert one["p50_s"] <= one["p95_s"] <= one["p99_s"]
    assert one["busy_share"] == pytest.approx(20 * 0.05 / 10, rel=0.3)
    assert (
        only["total"]["attempts"]
        == only["total"]["requests"]
        == sum(each["requests"] for each in only["endpoints"].values())
    )
    assert only["total"]["cache_hit_rate"] is None


def test_the_same_seed_gives_the_same_output_and_another_gives_another(gateway: Path) -> None:
    path = scenario(gateway.parent)
    first, again, other = (run(gateway, path, "--seed", seed).stdout for seed in (1, 1, 2))
    of_file = run(gateway, path).stdout

    assert first == again == of_file
    assert first != other


def test_a_duration_wins_over_the_file(gateway: Path) -> None:
    told = data(gateway, scenario(gateway.parent), "--duration", "10s")

    assert told["duration_s"] == 10.0
    assert told["runs"][0]["total"]["requests"] == pytest.approx(200, rel=0.2)


def test_refusals_and_answers_are_counted_by_reason(gateway: Path) -> None:
    text = SMALL.replace("[{path: /shop}]", "[{path: /shop}, {path: /nowhere}, {path: /old}]")
    path = scenario(gateway.parent, text)
    out = run(gateway, path).stdout
    (only,) = data(gateway, path)["runs"]

    refused, answered = only["total"]["refused"]["no_route"], only["total"]["answered"]["301 by moved"]
    assert f"  refused without an endpoint: {refused} no_route\n" in out
    assert f"  answered without an endpoint: {answered} 301 by moved\n" in out
    assert only["total"]["failures"] == refused > 20
    assert answered > 20


def test_where_no_route_matches_everything_is_refused(gateway: Path) -> None:
    result = run(gateway, scenario(gateway.parent, SMALL.replace("/shop", "/nowhere")))

    count = rows(result.stdout)["clients"][0]
    assert result.exit_code == 0
    assert f"refused without an endpoint: {count} no_route" in result.stdout


def test_fallbacks_are_counted(gateway: Path) -> None:
    gateway.write_text(
        GATEWAY.replace("strategy: round_robin", "strategy: round_robin, retry: {on: [500], attempts: 2}")
    )
    path = scenario(gateway.parent, SLOW.replace("takes: 400ms", "takes: 400ms, failures: 100%"))
    out = run(gateway, path).stdout
    (only,) = data(gateway, path)["runs"]

    failed = only["endpoints"]["shop/b"]["failures"]
    assert only["total"]["failures"] == 0 < failed
    assert only["total"]["attempts"] == pytest.approx(only["total"]["requests"] + failed, abs=10)
    assert "sent again to a fallback: " in out


def test_hits_of_caches_have_a_column(gateway: Path) -> None:
    text = (
        "rate: 50/s\nvalues: {user: {count: 20}}\nclients: [{path: /shop, headers: {x-user-id: '{user}'}}]\n"
        "servers: {shop: {takes: 50ms, cache: {by: x-user-id, keys: 15}}}\n"
    )
    path = scenario(gateway.parent, text)
    out = run(gateway, path, "--strategy", "random", "--strategy", "{consistent_hash: {by: user}}").stdout
    first, second = data(
        gateway, path, "--strategy", "random", "--strategy", "{consistent_hash: {by: user}}"
    )["runs"]

    assert out.count(" hits\n") == 3
    assert f"{first['total']['cache_hit_rate']:.1%}" in out
    assert first["total"]["cache_hit_rate"] < 0.9 < second["total"]["cache_hit_rate"]


@pytest.mark.parametrize("caches", [False, True])
def test_a_picture_is_drawn_with_all_endpoints_and_strategies(gateway: Path, caches: bool) -> None:
    text = SLOW.replace("takes: 50ms", "takes: 50ms, cache: {by: host, keys: 5}") if caches else SLOW
    text = text.replace("path: /shop", "path: /shop, headers: {host: x}") if caches else text
    path, picture = scenario(gateway.parent, text), gateway.parent / "load.svg"
    result = run(gateway, path, "--plot", picture, "--strategy", "round_robin", "--strategy", "least_loaded")

    assert result.exit_code == 0, result.stderr
    root = ET.fromstring(picture.read_text())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"One is slow", "round_robin", "least_loaded", "shop/a", "shop/b"} <= set(texts)
    assert {"busy (%)", "p95 latency (ms)", "share of requests (%)", "time (s)"} <= set(texts)
    assert ("cache hits (%)" in texts) is caches


def test_the_same_run_draws_the_same_bytes(gateway: Path) -> None:
    path = scenario(gateway.parent)
    drawn = []
    for name in ("one.svg", "two.svg"):
        run(gateway, path, "--plot", gateway.parent / name)
        drawn.append((gateway.parent / name).read_bytes())

    assert drawn[0] == drawn[1]


def test_a_picture_may_be_of_pixels(gateway: Path) -> None:
    picture = gateway.parent / "load.png"

    assert run(gateway, scenario(gateway.parent), "--plot", picture).exit_code == 0
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_without_its_library_a_picture_is_refused_before_the_run(
    gateway: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run(gateway, scenario(gateway.parent), "--plot", gateway.parent / "load.svg")

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == (
        "--plot needs matplotlib, which is not installed; "
        "install it with the extra `plot`: pip install 'envoy-routing-sidecar[plot]'\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--plot", "load.pdf"], "--plot load.pdf: write a name that ends in .svg or .png\n"),
        (["--plot", "gone/load.svg"], "--plot gone/load.svg: there is no folder gone\n"),
        (
            ["--strategy", "least_loadet"],
            '--strategy least_loadet: unknown strategy "least_loadet"; did you mean least_loaded?\n',
        ),
        (
            ["--strategy", "{least_loaded: {draw: 1}}"],
            "--strategy {least_loaded: {draw: 1}}: least_loaded.draw: must be at least 2, got 1\n",
        ),
        (
            ["--strategy", "[a, b]"],
            "--strategy [a, b]: write a strategy's name, or {name: {option: value}}\n",
        ),
        (["--strategy", "{a"], "--strategy {a: write a strategy's name, or {name: {option: value}}\n"),
    ],
)
def test_what_is_asked_for_wrongly_is_told(gateway: Path, words: list[str], said: str) -> None:
    result = run(gateway, scenario(gateway.parent), *words)

    assert (result.exit_code, result.stdout, result.stderr) == (2, "", said)


def test_a_duration_that_is_none_is_wrong_usage(gateway: Path) -> None:
    result = run(gateway, scenario(gateway.parent), "--duration", "10")

    assert result.exit_code == 2
    assert '--duration 10: "10" is not a duration' in result.stderr


def test_mistakes_in_the_scenario_end_it_with_2(gateway: Path) -> None:
    path = scenario(gateway.parent, SLOW.replace("rate: 40/s", "rat: 40/s"))
    result = run(gateway, path)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"{path}:4: rat: unknown key; did you mean rate?\n"


def test_a_scenario_that_is_not_there_ends_it_with_2(gateway: Path) -> None:
    path = gateway.parent / "gone.yaml"
    result = run(gateway, path)

    assert (result.exit_code, result.stderr) == (2, f"{path}: cannot be read: no such file or directory\n")


def test_an_endpoint_that_only_a_later_request_reaches_needs_a_server_as_well(gateway: Path) -> None:
    """The route opens at 0:01, a minute after the beginning; requests ahead of the run do not see it."""
    gateway.write_text(
        GATEWAY.replace("{path: {prefix: /search}}", "{path: {prefix: /search}, hours: '1-2'}")
    )
    path = scenario(
        gateway.parent,
        "rate: 1\nduration: 3m\nstarts_at: 2026-01-05T00:59Z\n"
        "clients: [{path: /shop}, {path: /search}]\nservers: {shop: {takes: 50ms}}\n",
    )
    result = run(gateway, path)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{path}: servers has none for search/only, which gets a request at 6")


def test_progress_is_shown_on_a_terminal_alone(gateway: Path) -> None:
    path = scenario(gateway.parent, SLOW.replace("20s", "60s"))
    ours, theirs = os.openpty()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TERM": "xterm"}
    words = [sys.executable, "-m", "sidecar", "simulate", str(gateway), str(path), "--strategy", "random"]
    run = subprocess.run(
        words, env=environment, stdout=subprocess.PIPE, stderr=theirs, timeout=60, check=True
    )
    os.close(theirs)
    shown = os.read(ours, 65536)
    os.close(ours)

    assert b"random" in shown
    assert b"%" in shown
    assert b"\x1b" not in run.stdout


def test_hours_pass_in_virtual_time(gateway: Path) -> None:
    gateway.write_text(
        GATEWAY.replace("{path: {prefix: /search}}", "{path: {prefix: /search}, hours: '1-2'}")
    )
    path = scenario(
        gateway.parent,
        "rate: 1\nduration: 30m\nstarts_at: 2026-01-05T00:45Z\nclients: [{path: /search}]\n"
        "servers: {default: {takes: 50ms}}\n",
    )
    (only,) = data(gateway, path)["runs"]

    assert only["total"]["refused"]["no_route"] / only["total"]["requests"] == pytest.approx(0.5, abs=0.05)
