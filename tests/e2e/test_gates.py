"""Who gets in at all, as clients of a real Envoy see it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from tests.databases import write_countries
from tests.e2e.gateway import LISTEN, Gateway, running_gateway
from tests.running.asking import Reply, ask_raw
from tests.running.sidecar import run
from tests.waiting import until

pytestmark = pytest.mark.e2e

KEY = "correct horse"
FILE = """
context:
  client_ip: {trusted_hops: HOPS}
  country: [{header: cf-ipcountry}, {geoip: countries.mmdb}]
clusters:
  shop: {endpoints: [{address: $shop}]}
  near: {endpoints: [{address: $near}]}
  german: {endpoints: [{address: $german}]}
gates:
  - ip: {paths: [/admin/**], allow: [198.51.100.0/24]}
  - ip: {block: [203.0.113.0/24]}
  - country: {paths: [/taxes/**], allow: [DE]}
  - require: {paths: [/api/**], header: x-api-key, sha256: [SUM], status: 401}
  - upload: {path: /upload/**, max_size: 2KB, types: [image/*]}
routes:
  - {name: near, match: {path: /where, client_ip: [198.51.100.7]}, to: near}
  - {name: german, match: {path: /where, country: [DE]}, to: german}
  - {name: always, match: {path: /always, any: [{hours: 22-6}, {hours: 6-22}]}, to: near}
  - {name: never, match: {path: /never, all: [{hours: 22-6}, {hours: 6-22}]}, to: near}
  - {name: rest, to: shop}
"""
# Addresses that no machine of a test has: Envoy writes its own for a peer on the loopback.
TEXT = LISTEN + FILE.replace("SUM", sha256(KEY.encode()).hexdigest())


@contextmanager
def a_gateway(folder: Path, transport: str, hops: int) -> Iterator[Gateway]:
    write_countries(folder / "countries.mmdb", {"198.18.0.0/16": "DE", "2001:db8::/32": "FR"})
    with running_gateway(TEXT.replace("HOPS", str(hops)), folder, transport) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def behind(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Behind one proxy: the tests'."""
    with a_gateway(tmp_path_factory.mktemp("behind"), transport, 1) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def edge(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with a_gateway(tmp_path_factory.mktemp("edge"), transport, 0) as gateway:
        yield gateway


def asked(gateway: Gateway, path: str, forwarded: str = "", **headers: str) -> Reply:
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    return gateway.ask(path, said | ({"x-forwarded-for": forwarded} if forwarded else {}))


def status(gateway: Gateway, path: str, forwarded: str = "", **headers: str) -> int:
    return asked(gateway, path, forwarded, **headers).status


def test_the_client_is_who_the_trusted_proxy_says(behind: Gateway) -> None:
    """M12 X1: and Envoy sees the same address in the same place."""
    reply = asked(behind, "/where", "10.0.0.1, 198.18.2.1, 198.51.100.7")

    assert reply.name == "near"
    assert reply.arrived("x-envoy-external-address") == ["198.51.100.7"]


def test_an_address_beyond_the_trusted_proxies_has_no_effect(behind: Gateway) -> None:
    """M12 X1 X4: whatever a client writes itself, and in as many lines as it likes."""
    assert asked(behind, "/where", "198.51.100.7, 198.18.2.99").name == "german"
    assert status(behind, "/admin", "198.51.100.7, 198.18.2.99") == 403
    assert status(behind, "/admin", "198.18.2.99, 198.51.100.7") == 200
    assert status(behind, "/", "203.0.113.9, 198.18.2.99") == 200
    assert status(behind, "/", "198.18.2.99, 203.0.113.9") == 403
    lines = [("x-forwarded-for", "198.51.100.7"), ("x-forwarded-for", "198.18.2.99")]
    assert behind.ask("/admin", lines).status == 403


def test_at_the_edge_nothing_that_a_client_writes_has_an_effect(edge: Gateway) -> None:
    """M12 X1 X4"""
    assert status(edge, "/admin", "198.51.100.7") == 403
    assert status(edge, "/admin", "198.51.100.7, 198.51.100.7") == 403
    assert status(edge, "/", "203.0.113.9") == 200
    assert asked(edge, "/where", "198.51.100.7").name == "shop"
    assert asked(edge, "/where", "198.18.2.99").name == "shop"


def test_a_huge_chain_is_read_from_its_end(behind: Gateway) -> None:
    """M12"""
    many = ", ".join(["203.0.113.9"] * 3_000)

    assert asked(behind, "/where", f"{many}, 198.51.100.7").name == "near"
    assert status(behind, "/", f"{many}, {'x' * 20_000}, 198.51.100.7") == 200


@pytest.mark.parametrize(
    "path", ["/admin", "/admin/", "/admin/x", "//admin", "/%61dmin/x", "/x/../admin", "/./admin"]
)
def test_no_spelling_of_a_path_passes_its_gate(behind: Gateway, path: str) -> None:
    """X1"""
    request = f"GET {path} HTTP/1.1\r\nhost: shop.test\r\nconnection: close\r\n\r\n"

    assert ask_raw(behind.envoy.port, request.encode()).status == 403


def test_a_refusal_says_why(behind: Gateway) -> None:
    """X1 O2: and is counted by its reason."""
    counted = behind.sidecar.sample("sidecar_refusals_total", reason="address_not_allowed")

    reply = asked(behind, "/", "203.0.113.9")

    assert json.loads(reply.body) == {
        "reason": "address_not_allowed",
        "message": "requests from this address are not allowed",
    }
    after = behind.sidecar.sample("sidecar_refusals_total", reason="address_not_allowed")
    assert after == counted + 1


def test_a_country_comes_from_a_header_else_from_the_address(behind: Gateway) -> None:
    """M12 X2"""
    assert status(behind, "/taxes", "198.18.2.7") == 200
    assert status(behind, "/taxes", "2001:db8::7") == 403
    assert status(behind, "/taxes", "198.51.100.9") == 403
    assert status(behind, "/taxes", "2001:db8::7", cf_ipcountry="de") == 200
    assert status(behind, "/taxes", "198.18.2.7", cf_ipcountry="FR") == 403
    assert asked(behind, "/where", "198.18.2.7").name == "german"


def test_a_country_gate_is_overridden_by_command(behind: Gateway) -> None:
    """X2: at once, and until it is told otherwise."""
    assert status(behind, "/taxes", "2001:db8::7") == 403

    on = run("override", "country", "on", "--admin", behind.addresses["admin"])
    assert on.returncode == 0, on.stderr
    assert "lets everybody pass" in on.stdout
    assert status(behind, "/taxes", "2001:db8::7") == 200

    off = run("override", "country", "off", "--admin", behind.addresses["admin"])
    assert (off.returncode, off.stderr) == (0, "")
    assert "refuses again" in off.stdout
    assert status(behind, "/taxes", "2001:db8::7") == 403


def test_a_new_database_is_read(behind: Gateway) -> None:
    """M12"""
    assert status(behind, "/taxes", "198.51.100.77") == 403
    database = behind.config.parent / "countries.mmdb"

    write_countries(database, {"198.51.100.0/24": "DE", "198.18.0.0/16": "DE", "2001:db8::/32": "FR"})

    until(lambda: status(behind, "/taxes", "198.51.100.77") == 200, "the new database")


def test_one_of_two_windows_that_make_up_the_day_holds_at_any_time(behind: Gateway) -> None:
    """M13: by the real clock; moments that are written down are in the tests of the windows."""
    assert behind.names("/always", 3) == ["near"] * 3
    assert behind.names("/never", 3) == ["shop"] * 3


def test_a_key_is_required(behind: Gateway) -> None:
    """X3"""
    assert status(behind, "/api/x") == 401
    assert status(behind, "/api/x", x_api_key="wrong") == 401
    assert status(behind, "/api/x", x_api_key=KEY) == 200
    twice = [("x-api-key", KEY), ("x-api-key", "other")]
    assert behind.ask("/api/x", twice).status == 401


@pytest.mark.parametrize(
    ("size", "headers", "wanted"),
    [
        (2048, {"content-type": "image/png"}, 200),
        (2049, {"content-type": "image/png"}, 413),
        (10, {"content-type": "Image/SVG+xml; charset=utf-8"}, 200),
        (10, {"content-type": "text/html"}, 415),
        (10, {}, 415),
        (0, {}, 200),
    ],
)
def test_uploads_have_a_size_and_types(
    behind: Gateway, size: int, headers: dict[str, str], wanted: int
) -> None:
    """Q4: by content-length."""
    assert behind.ask("/upload/a", headers, "POST", b"x" * size).status == wanted


@pytest.mark.parametrize(("second", "wanted"), [("image/gif", 200), ("text/html", 415)])
def test_a_second_content_type_hides_nothing(behind: Gateway, second: str, wanted: int) -> None:
    """Q4: Envoy makes one header of the two."""
    headers = [("content-type", "image/png"), ("content-type", second)]

    assert behind.ask("/upload/a", headers, "POST", b"x").status == wanted


@pytest.mark.parametrize(("size", "wanted"), [(2048, 200), (2049, 413), (500_000, 413)])
def test_an_upload_without_a_length_is_counted(behind: Gateway, size: int, wanted: int) -> None:
    """Q4 M8"""
    pieces = [b"x" * min(1000, size - at) for at in range(0, size, 1000)]

    assert behind.ask("/upload/a", {"content-type": "image/png"}, "POST", pieces).status == wanted


def test_a_request_without_a_body_needs_no_type(behind: Gateway) -> None:
    """Q4"""
    assert behind.ask("/upload/a").status == 200


def test_routes_are_changed_by_command(behind: Gateway, tmp_path: Path) -> None:
    """M17: without a restart and without the file."""
    route = tmp_path / "route.yaml"
    route.write_text("{name: new, match: {path: /where}, priority: 9, to: near}\n")
    admin = ("--admin", behind.addresses["admin"])
    assert asked(behind, "/where", "198.18.2.7").name == "german"

    assert run("routes", "put", route, *admin).returncode == 0
    assert asked(behind, "/where", "198.18.2.7").name == "near"

    assert run("routes", "disable", "new", *admin).returncode == 0
    assert asked(behind, "/where", "198.18.2.7").name == "german"

    assert run("routes", "delete", "new", *admin).returncode == 0
    assert run("routes", "enable", "new", *admin).returncode == 1
