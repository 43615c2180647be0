"""The configuration of a demo, moved to this machine and to another folder."""

from pathlib import Path

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
