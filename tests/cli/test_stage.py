"""The configuration of a demo, moved to this machine and to another folder."""

import asyncio
from pathlib import Path

import httpx

from sidecar.cli.demo.endpoints import answering
from sidecar.cli.demo.stage import stage
from sidecar.config.load import loads
from tests.databases import write_countries

FILE = """\
clusters: {shop: {endpoints: [{address: '10.0.0.1:80'}]}}
context: {country: [{header: cf-ipcountry}, {geoip: data/countries.mmdb}]}
routes: [{name: german, match: {country: [DE]}, to: shop}]
"""


def test_files_beside_the_configuration_are_found_from_another_folder(tmp_path: Path) -> None:
    """M12: the demo writes its copy elsewhere, and a sidecar in an Envoy reads that."""
    path = tmp_path / "gateway.yaml"
    path.write_text(FILE)
    (tmp_path / "data").mkdir()
    database = write_countries(tmp_path / "data" / "countries.mmdb", {"192.0.2.0/24": "DE"})

    staged = stage(path)
    elsewhere = loads(staged.text, "demo.yaml", 1, tmp_path / "elsewhere")

    assert list(staged.loaded.files) == [database]
    assert list(elsewhere.files) == [database]
    assert elsewhere.config.context.country[0].header == "cf-ipcountry"


def test_keys_beside_the_configuration_are_found_by_an_envoy_that_is_started_elsewhere(
    tmp_path: Path,
) -> None:
    """M10"""
    path = tmp_path / "gateway.yaml"
    jwt = "envoy: {jwt: {issuer: a, jwks_file: keys.json}}\n"
    path.write_text(FILE.replace(", {geoip: data/countries.mmdb}", "") + jwt)

    told = stage(path).loaded.config.envoy.jwt

    assert told is not None
    assert told.jwks_file == str(tmp_path / "keys.json")


def test_secrets_beside_the_configuration_are_found_from_another_folder(tmp_path: Path) -> None:
    """S16"""
    (tmp_path / "a.secret").write_text("a secret that is long enough")
    path = tmp_path / "gateway.yaml"
    path.write_text(FILE.replace(", {geoip: data/countries.mmdb}", "") + "cookies: {secrets: [a.secret]}\n")

    assert stage(path).loaded.config.cookies.secrets == [str(tmp_path / "a.secret")]


def test_endpoints_behave_as_the_file_says(tmp_path: Path) -> None:
    """By id; the others answer at once with 200. A cluster without endpoints has one of its own name."""
    path = tmp_path / "gateway.yaml"
    path.write_text(
        "clusters:\n"
        "  shop: {endpoints: [{address: '127.0.0.1:1', id: a}, {address: '127.0.0.1:2'}]}\n"
        "  legacy: {}\n"
        "routes: [{name: r, pool: [shop, legacy]}]\n"
        "demo: {endpoints: {a: {status: 503, reports: {utilisation: 95%, cache_hit_rate: 0.5}}}}\n"
    )

    places = {place.id: place for place in stage(path).places}

    async def asked(*ids: str) -> list[httpx.Response]:
        async with answering(list(places.values())), httpx.AsyncClient(trust_env=False) as client:
            return [await client.get(f"http://{places[each].address}/") for each in ids]

    failing, usual = asyncio.run(asked("a", "legacy"))
    assert failing.status_code == 503
    assert failing.headers["endpoint-load-metrics"] == (
        "TEXT application_utilization=0.95, named_metrics.cache_hit_rate=0.5"
    )
    assert usual.status_code == 200
    assert "endpoint-load-metrics" not in usual.headers


def test_nothing_that_a_demo_teaches_is_kept(tmp_path: Path) -> None:
    """It would be among what was learnt of the real endpoints."""
    path = tmp_path / "gateway.yaml"
    path.write_text(
        "store: {sqlite: state.db}\n"
        "clusters: {shop: {endpoints: [{address: '10.0.0.1:80'}]}}\n"
        "routes: [{name: shop, to: shop}]\n"
    )

    assert stage(path).loaded.config.store == "memory"
