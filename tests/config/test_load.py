"""Loading as a whole: files on disk, all mistakes at once, notes, and large files."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from sidecar.config.errors import ConfigError
from sidecar.config.load import load
from tests.config.files import CLUSTERS, ROUTES, a_file, loaded

pytestmark = pytest.mark.alone

AS_SOMEBODY_ELSE = """\
import os, sys
from pathlib import Path
from sidecar.config.errors import ConfigError
from sidecar.config.load import load

if os.getuid() == 0:  # root may read everything
    os.setuid(65534)
try:
    load(Path(sys.argv[1]), 1)
except ConfigError as error:
    print(error)
"""


def said_of(path: Path) -> str:
    with pytest.raises(ConfigError) as refused:
        load(path, generation=1)
    return str(refused.value)


def said(text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        loaded(text)
    return str(refused.value).split("\n")


def test_loads_the_smallest_file(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(CLUSTERS + ROUTES)

    found = load(file, generation=7)

    assert found.plan.generation == 7
    assert [route.name for route in found.plan.routes] == ["r"]
    assert [route.name for route in found.config.routes] == ["r"]
    assert found.notes == []


def test_ignores_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + (CLUSTERS + ROUTES).encode())

    assert load(file, generation=1).plan.routes[0].name == "r"


def test_says_that_the_file_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"

    assert said_of(file) == f"{file}: cannot be read: no such file or directory"


def test_says_that_the_file_is_a_directory(tmp_path: Path) -> None:
    assert said_of(tmp_path) == f"{tmp_path}: cannot be read: is a directory"


def test_says_that_the_file_may_not_be_read(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(CLUSTERS + ROUTES)
    file.chmod(0)
    asked = [sys.executable, "-c", AS_SOMEBODY_ELSE, str(file)]

    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout

    assert said == f"{file}: cannot be read: permission denied\n"


def test_says_which_byte_is_not_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_bytes(CLUSTERS.encode() + b"routes: [{name: caf\xe9}]\n")

    assert said_of(file) == f"{file}:2: byte 0xe9 is not UTF-8; save the file as UTF-8"


def test_refuses_a_file_above_64_mb(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    with file.open("wb") as sparse:
        sparse.truncate(64 * 1024 * 1024 + 1)

    assert said_of(file) == f"{file}: is larger than 64 MB"


def test_reports_six_mistakes_at_once_in_the_order_of_their_lines() -> None:
    text = """\
lisen: {}
clusters:
  shop:
    endpoints:
      - {address: 10.0.0.1}
tickets: {lease: 30}
routes:
  - name: a
    to: shpo
  - name: b
    to: shop
    strategy: round_robbin
  - name: a
    to: shop
"""

    assert said(text) == [
        "gateway.yaml:1: lisen: unknown key; did you mean listen?",
        (
            'gateway.yaml:5: clusters.shop.endpoints[0].address: "10.0.0.1" is not an address; '
            "write host:port, such as 127.0.0.1:8080 or [::1]:8080"
        ),
        (
            "gateway.yaml:6: tickets.lease: 30 is not a duration; "
            "write a number with a unit, such as 250ms, 30s, 5m or 1h30m"
        ),
        'gateway.yaml:9: routes[0].to: there is no cluster or endpoint "shpo"; did you mean shop?',
        'gateway.yaml:12: routes[1].strategy: unknown strategy "round_robbin"; did you mean round_robin?',
        'gateway.yaml:13: routes[2].name: "a" is the name of routes[0] already; rename one of them',
    ]


def test_one_unknown_key_hides_nothing_else_in_its_route() -> None:
    assert said(a_file("{name: r, to: shpo, prioritty: 5, match: {path: a}}")) == [
        "gateway.yaml:3: routes[0].prioritty: unknown key; did you mean priority?",
        (
            'gateway.yaml:3: routes[0].match.path: must start with /, got "a"; '
            "paths are matched from their beginning"
        ),
        'gateway.yaml:3: routes[0].to: there is no cluster or endpoint "shpo"; did you mean shop?',
    ]


def test_a_broken_cluster_is_still_there_for_its_routes() -> None:
    text = "clusters: {shop: {endpoints: 5}}\n" + a_file(
        "{name: r, to: {cluster: shop, version: a}}", clusters=""
    )

    assert said(text) == ["gateway.yaml:1: clusters.shop.endpoints: must be a list, got 5; write […]"]


def test_a_route_to_an_endpoint_that_could_not_be_read_is_not_called_wrong() -> None:
    text = "clusters: {shop: {endpoints: [{id: v1}]}}\n" + a_file("{name: r, to: v1}", clusters="")

    assert said(text) == ["gateway.yaml:1: clusters.shop.endpoints[0].address: is missing"]


def test_clusters_that_cannot_be_read_are_reported_once_and_not_by_every_route() -> None:
    assert said("clusters: [shop]\n" + ROUTES) == [
        "gateway.yaml:1: clusters: must be a mapping of names to clusters, got a list"
    ]


def test_a_broken_destination_is_not_reported_as_missing_too() -> None:
    assert said(a_file("{name: r, to: {cluster: 5}}")) == [
        "gateway.yaml:3: routes[0].to.cluster: must be text, got 5; put it in quotes"
    ]


def test_a_doubled_key_hides_no_other_mistake() -> None:
    assert said(a_file("{name: r, to: shop, to: shop, strategy: nix}", "{name: s, to: nowhere-at-all}"))[
        ::2
    ] == [
        "gateway.yaml:3: routes[0].to: this key is here twice; keep one of them",
        'gateway.yaml:4: routes[1].to: there is no cluster or endpoint "nowhere-at-all"; write shop',
    ]


def test_a_message_stays_on_one_line_whatever_the_names_are() -> None:
    text = 'clusters: {"a\\nb": {}, shop: {}}\nroutes: [{name: r, to: "a\\n"}]\n'

    assert len(said(text)) == 2


def test_notes_name_what_is_of_no_use() -> None:
    text = a_file(
        "{name: first, priority: 5, to: shop}",
        "{name: off, to: shop, enabled: false}",
        "{name: hidden, match: {path: /a}, to: shop}",
        clusters="clusters: {shop: {}, spare: {}}\n",
    )

    assert loaded(text).notes == [
        "gateway.yaml:1: clusters.spare: no route uses this cluster",
        "gateway.yaml:4: routes[1]: the route off is switched off",
        "gateway.yaml:5: routes[2]: the route hidden is never reached: first before it matches everything",
    ]


def test_a_cluster_that_only_on_error_uses_is_in_use() -> None:
    assert loaded("on_error: spare\nclusters: {shop: {}, spare: {}}\n" + ROUTES).notes == []


def test_loads_ten_thousand_routes_within_seconds() -> None:
    """About 1.1 s of CPU on a machine of 2026; the bound leaves room for a busy one."""
    clusters = "clusters:\n" + "".join(
        f"  cluster-{k}: {{endpoints: [{{address: '10.0.{k}.1:80'}}, {{address: '10.0.{k}.2:80'}}]}}\n"
        for k in range(50)
    )
    text = a_file(
        *(
            f"{{name: route-{i}, match: {{path: {{prefix: /api/v{i % 10}/s{i // 4}}}, "
            f"headers: [{{name: x-tenant, exact: t{i % 4}}}]}}, to: cluster-{i % 50}}}"
            for i in range(10_000)
        ),
        clusters=clusters,
    )

    begun = time.process_time()
    found = loaded(text)
    spent = time.process_time() - begun

    assert len(found.plan.routes) == 10_000
    assert spent < 4.0


@pytest.mark.parametrize(
    ("more", "passed"),
    [
        ("gates: [{ip: {block: [10.0.0.0/8]}}]\n", "gates"),
        ("", "routes that reject"),
        ("gates: [{ip: {block: [10.0.0.0/8]}}]\n", "gates and the routes that reject"),
    ],
)
def test_notes_that_rules_hold_only_while_they_are_asked(more: str, passed: str) -> None:
    """X1 X4: what protects something, where the sidecar's failure sends requests on."""
    rejects = "{name: no, match: {path: /no}, reject: {reason: rule}}, " if "reject" in passed else ""
    text = f"clusters: {{shop: {{}}}}\n{more}routes: [{rejects}{{name: rest, to: shop}}]\n"

    (note,) = loaded(text + "on_error: shop\n").notes

    assert note.endswith(
        f"on_error: where the sidecar fails or is too slow, requests go past the {passed} to shop; "
        "write refuse where one of them protects something"
    )
    assert loaded(text).notes == []
    assert loaded("clusters: {shop: {}}\nroutes: [{name: rest, to: shop}]\non_error: shop\n").notes == []
