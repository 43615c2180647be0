"""`sidecar explain`: what would be decided, and why not otherwise."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sidecar.cli.commands import cli

FILE = """\
clusters:
  shop:
    endpoints:
      - {address: '10.0.0.1:80', id: a, weight: 2}
      - {address: '10.0.0.2:80', id: never, weight: 0}
  search: {}
routes:
  - name: items
    match: {path: {prefix: /api/items}, methods: [GET]}
    to: shop
    rewrite: {strip_prefix: /api}
  - name: api
    match: {path: {prefix: /api}}
    to: search
  - name: closed
    match: {path: {prefix: /api/items/closed}}
    to: search
    enabled: false
  - name: large
    match: {headers: [{name: x-model, exact: large}]}
    to: search
  - name: halves
    match: {path: {exact: /half}}
    split: [{to: shop, weight: 3}, {to: search, weight: 1}]
    sticky: {by: user}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.yaml"
    path.write_text(FILE)
    return path


def explain(file: Path, *words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(cli, ["explain", str(file), *words], prog_name="sidecar")


def told(file: Path, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(explain(file, *words, "--json").stdout)
    return found


def lines(result: Result) -> list[str]:
    return [line.rstrip() for line in result.stdout.splitlines()]


def test_the_text_has_every_route_and_why_not(file: Path) -> None:
    """O6"""
    result = explain(file, "--path", "/api/items/7?full=1")

    assert result.exit_code == 0
    assert lines(result) == [
        "GET /api/items/7?full=1",
        "",
        "Routes, in the order of precedence:",
        '  x    halves    path is "/half", but it is "/api/items/7"',
        "  -    closed    switched off",
        '  >    items     path is under "/api/items"; method is "GET"',
        "  =    api       matches too, but comes later",
        '  x    large     header x-model is "large", but it is absent',
        "",
        "Candidates, in the order of weighted_round_robin:",
        "  >    shop/a        10.0.0.1:80",
        "  -    shop/never    10.0.0.2:80    its weight is 0",
        "",
        "Answer: shop, route items: weighted_round_robin picked a of 1",
        "        sent on as /items/7?full=1",
    ]


def test_the_text_of_a_refusal_says_why_and_ends_with_1(file: Path) -> None:
    """O6, M18"""
    result = explain(file, "--path", "/nowhere")

    assert result.exit_code == 1
    assert lines(result)[-1] == "Answer: refused with 404, no route matches this request"
    assert '  x    api       path is under "/api", but it is "/nowhere"' in lines(result)


def test_the_text_says_how_an_arm_was_chosen(file: Path) -> None:
    """R4"""
    by_key = explain(file, "--path", "/half", "--header", "x-user-id: u1").stdout
    by_chance = explain(file, "--path", "/half").stdout

    assert "Split by header x-user-id among shop 75.00%, search 25.00%: " in by_key
    assert "Split by chance among shop 75.00%, search 25.00%: " in by_chance


def test_the_text_names_a_cluster_whose_addresses_are_envoys(file: Path) -> None:
    """A1"""
    assert "search/search    wherever Envoy's cluster has it" in explain(file, "--path", "/api/x").stdout


def test_markup_of_a_request_stays_text(file: Path) -> None:
    """A path in square brackets must not be taken for a colour."""
    assert "GET /[bold]x[/bold]" in explain(file, "--path", "/[bold]x[/bold]").stdout


def test_the_json_has_the_same_for_programs(file: Path) -> None:
    """O6"""
    found = told(file, "--path", "/api/items/7")

    assert [route["route"] for route in found["routes"]] == ["halves", "closed", "items", "api", "large"]
    verdicts = {
        route["route"]: (route["enabled"], route["matched"], route["chosen"]) for route in found["routes"]
    }
    assert verdicts == {
        "halves": (True, False, False),
        "closed": (False, False, False),
        "items": (True, True, True),
        "api": (True, True, False),
        "large": (True, False, False),
    }
    (large,) = [route for route in found["routes"] if route["route"] == "large"]
    assert large["conditions"] == [
        {"condition": 'header x-model is "large"', "seen": "absent", "held": False}
    ]
    assert found["answer"]["decision"]["cluster"] == "shop"
    assert found["answer"]["decision"]["path"] == "/items/7"
    assert [(each["endpoint"]["id"], each["place"]) for each in found["candidates"]] == [
        ("a", 1),
        ("never", 0),
    ]


def test_the_json_of_a_refusal_ends_with_1_too(file: Path) -> None:
    """O6"""
    result = explain(file, "--path", "/nowhere", "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["answer"]["refusal"]["status"] == 404


def test_method_host_and_headers_count(file: Path) -> None:
    """M5, M6"""
    posted = told(file, "--path", "/api/items/7", "--method", "POST")
    headed = told(file, "--path", "/x", "--header", "X-Model:  large ", "--header", "x-other: 1")

    assert posted["answer"]["decision"]["route"] == "api"
    assert headed["answer"]["decision"]["route"] == "large"


def test_a_header_may_repeat_and_hold_colons(file: Path) -> None:
    """M5"""
    found = told(file, "--path", "/x", "--header", "x-model: a:b", "--header", "x-model: large")

    assert found["answer"]["decision"]["route"] == "large"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--path", "shop"], "Error: --path must start with /, got 'shop'"),
        (["--path", ""], "Error: --path must start with /, got ''"),
        (["--path", "/a#b"], "Error: --path must have no fragment, write # as %23, got '/a#b'"),
        (["--path", "/%00"], "Error: --path must have no %00, got '/%00'"),
        (["--path", "/", "--header", "x-a"], "Error: --header must be 'name: value', got 'x-a'"),
        (["--path", "/", "--header", ": v"], "Error: --header must be 'name: value', got ': v'"),
        ([], "Error: Missing option '--path'."),
    ],
)
def test_wrong_usage_is_told_and_ends_with_2(file: Path, words: list[str], text: str) -> None:
    result = explain(file, *words)

    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == text
    assert result.stdout == ""


def test_a_path_is_explained_as_envoy_would_send_it_on(file: Path) -> None:
    """X4: what is explained for `//api` must be what happens to `//api`."""
    for spelled in ("//api//items/7", "/%61pi/items/7", "/x/../api/items/7"):
        assert explain(file, "--path", spelled).stdout.startswith(f"GET {spelled}, which is /api/items/7\n")
        answer = told(file, "--path", spelled)["answer"]["decision"]
        plain = told(file, "--path", "/api/items/7")["answer"]["decision"]
        assert answer["route"] == plain["route"]
        assert answer["path"] == (plain["path"] or "/api/items/7")


def test_wrong_usage_is_told_before_the_file_is_read() -> None:
    result = CliRunner().invoke(cli, ["explain", "gone.yaml", "--path", "shop"], prog_name="sidecar")

    assert "--path must start with /" in result.stderr


GATES = """\
clusters: {shop: {}, night: {}}
gates:
  - ip: {paths: [/admin/**], allow: [10.0.0.0/8]}
  - {name: key, require: {header: x-api-key, sha256: [SUM], status: 401}}
routes:
  - {name: at-night, match: {hours: 22-6, zone: Europe/Berlin}, to: night}
  - {name: rest, to: shop}
"""


@pytest.fixture
def gates(tmp_path: Path) -> Path:
    path = tmp_path / "gates.yaml"
    path.write_text(GATES.replace("SUM", sha256(b"secret").hexdigest()))
    return path


def test_the_text_has_every_gate_and_what_it_saw(gates: Path) -> None:
    """O6 X1 X3: but never a key."""
    result = explain(
        gates, "--path", "/admin/x", "--header", "x-forwarded-for: 192.0.2.7", "--header", "x-api-key: secret"
    )

    assert result.exit_code == 1
    assert "\n".join(lines(result)[1:6]) == (
        "\n"
        "Gates, in the order in which they are asked:\n"
        '  x    ip-1    refuses when (path matches "/admin/**" and not client_ip is in 10.0.0.0/8); '
        'it is "/admin/x"; 192.0.2.7\n'
        "  +    key     refuses when (not header x-api-key has the known key); "
        "it is a key whose SHA-256 begins with 2bb80d53\n"
    )
    assert lines(result)[-1] == (
        "Answer: refused by the gate ip-1 with 403, requests from this address are not allowed"
    )
    assert "secret" not in result.stdout.replace("x-api-key: secret", "")


def test_the_json_has_every_gate_too(gates: Path) -> None:
    """O6 X3"""
    found = told(gates, "--path", "/")

    assert [(gate["gate"], gate["refuses"], gate["seen"]) for gate in found["gates"]] == [
        ("ip-1", False, '"/"; unknown'),
        ("key", True, "absent"),
    ]
    assert found["answer"]["refusal"]["gate"] == "key"
    assert found["answer"]["refusal"]["status"] == 401


@pytest.mark.parametrize(
    ("moment", "route", "seen"),
    [
        ("2026-11-21T22:00+01:00", "at-night", "sat 22:00"),
        ("2026-11-21T21:59:59+01:00", "rest", "sat 21:59"),
        ("2026-07-01T20:00Z", "at-night", "wed 22:00"),
        ("2026-11-21T22:00+09:00", "rest", "sat 14:00"),
    ],
)
def test_another_moment_may_be_asked_for(gates: Path, moment: str, route: str, seen: str) -> None:
    """O6 M13"""
    found = told(gates, "--path", "/", "--header", "x-api-key: secret", "--at", moment)

    assert found["answer"]["decision"]["route"] == route
    (night, _) = found["routes"]
    assert night["conditions"][0]["seen"] == f"{seen} in Europe/Berlin"


@pytest.mark.parametrize(
    "moment", ["2026-11-21T22:00", "22:00", "tomorrow", "", "0001-01-01T00:00Z", "9999-12-31T23:59Z"]
)
def test_a_moment_needs_its_offset(gates: Path, moment: str) -> None:
    """O6 M13: or nobody could tell which it is."""
    result = explain(gates, "--path", "/", "--at", moment)

    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == (
        "Error: --at must be a moment with its offset from UTC, such as 2026-11-21T23:00+01:00, "
        f"got {moment!r}"
    )


def test_a_request_has_a_body_when_its_headers_say_so(tmp_path: Path) -> None:
    """O6 Q4"""
    file = tmp_path / "uploads.yaml"
    file.write_text(
        "clusters: {shop: {}}\n"
        "gates: [{upload: {path: /upload, max_size: 1KB, types: [image/*]}}]\n"
        "routes: [{name: rest, to: shop}]\n"
    )

    def status(*headers: str) -> int:
        words = [word for header in headers for word in ("--header", header)]
        answer = told(file, "--path", "/upload", *words)["answer"]
        return int(answer["refusal"]["status"]) if "refusal" in answer else 200

    assert status() == 200
    assert status("content-length: 5") == 415
    assert status("content-type: image/png", "content-length: 1025") == 413
    assert status("content-type: image/png", "content-length: 1024") == 200


def test_says_what_a_candidate_is_judged_by(tmp_path: Path) -> None:
    """S17: the whole score, and each scorer's part of it."""
    file = tmp_path / "gateway.yaml"
    file.write_text("""\
clusters: {shop: {endpoints: [{address: '10.0.0.1:80', id: a}]}}
routes: [{name: all, match: {}, to: shop, strategy: {best_score: {load: 3.0, zone: 1.0}}}]
""")

    assert "score 0.875: load 1, zone 0.5" in explain(file, "--path", "/").stdout


def test_says_why_each_endpoint_was_passed_over_also_where_nobody_is_left(tmp_path: Path) -> None:
    """C8"""
    file = tmp_path / "gateway.yaml"
    file.write_text("""\
clusters:
  big: {endpoints: [{address: '10.0.0.1:80', id: b1}], models: [gpt-4]}
  small: {endpoints: [{address: '10.0.0.2:80', id: s1}], capabilities: {context_window: 1000}}
context: {input_tokens: [{header: x-tokens}]}
routes: [{name: all, pool: [big, small]}]
""")
    other = ("--header", "x-ai-model: other")

    some = explain(file, "--path", "/", *other)
    assert '-    big/b1      10.0.0.1:80    it serves gpt-4, not model "other"' in some.stdout
    assert ">    small/s1    10.0.0.2:80\n" in some.stdout

    none = explain(file, "--path", "/", *other, "--header", "x-tokens: 5000")
    assert "Endpoints, each with why it is passed over:" in none.stdout
    assert "its context window is 1000 tokens, the request has about 5000" in none.stdout
    assert 'Answer: refused with 503, no endpoint for model "other" and 5000 tokens' in none.stdout


def test_bytes_that_are_no_text_are_explained_as_they_came(tmp_path: Path) -> None:
    """O6: a terminal hands them over so."""
    odd = b"\xff".decode("utf-8", "surrogateescape")
    config = tmp_path / "gateway.yaml"
    config.write_text(
        "clusters: {shop: {}}\nroutes: [{name: r, match: {headers: [{name: x-a, exact: b}]}, to: shop}]\n"
    )

    result = CliRunner().invoke(cli, ["explain", str(config), "--path", "/", "--header", f"x-a: {odd}"])

    assert result.exit_code == 1
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_a_running_sidecar_is_not_asked_in_bytes_that_are_no_text() -> None:
    """O6: its messages hold text alone, and a traceback would say nothing."""
    odd = b"\xff".decode("utf-8", "surrogateescape")

    result = CliRunner().invoke(cli, ["explain", "--server", "127.0.0.1:1", "--path", f"/{odd}"])

    assert result.exit_code == 2
    assert result.stderr == (
        "'/\\udcff' is no UTF-8, and a running sidecar cannot be asked so; ask a CONFIG\n"
    )
