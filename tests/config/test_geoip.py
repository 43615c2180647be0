"""Countries from a MaxMind database."""

import sys
from pathlib import Path

import pytest

from sidecar.config.errors import ConfigError, Findings
from sidecar.config.geoip import Databases
from sidecar.config.load import load, loads
from sidecar.core.ranges import address_of
from sidecar.core.request import Request, headers_of
from tests.config.files import a_match
from tests.databases import write_countries

GEOIP = "context: {country: [{header: cf-ipcountry}, {geoip: countries.mmdb}]}\n"
GERMAN = a_match("{country: [DE]}") + GEOIP


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_countries(tmp_path / "countries.mmdb", {"192.0.2.0/24": "DE", "2001:db8::/32": "US"})
    return tmp_path


def from_address(address: str, **headers: str) -> Request:
    said = {"x-forwarded-for": address} | {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(
        "GET", "shop.test", "/", headers_of((name, value.encode()) for name, value in said.items())
    )


def test_a_country_comes_from_the_database(folder: Path) -> None:
    """M12: where no header says it."""
    matcher = loads(GERMAN, "gateway.yaml", 1, folder).plan.routes[0].matcher

    assert matcher.matches(from_address("192.0.2.7"))
    assert matcher.matches(from_address("::ffff:192.0.2.7"))
    assert not matcher.matches(from_address("2001:db8::7"))
    assert not matcher.matches(from_address("198.51.100.1"))
    assert not matcher.matches(from_address("nobody"))
    assert not matcher.matches(from_address("192.0.2.7", cf_ipcountry="FR"))
    assert matcher.matches(from_address("2001:db8::7", cf_ipcountry="DE"))


def test_the_database_lies_beside_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """M12: whatever the working directory is."""
    (folder / "gateway.yaml").write_text(GERMAN)
    monkeypatch.chdir("/")

    loaded = load(folder / "gateway.yaml", 1)

    assert loaded.plan.routes[0].matcher.matches(from_address("192.0.2.7"))
    assert list(loaded.files) == [folder / "countries.mmdb"]


def test_ipv6_is_unknown_to_a_database_of_ipv4(folder: Path) -> None:
    """M12"""
    write_countries(folder / "countries.mmdb", {"192.0.2.0/24": "DE"}, ipv6=False)
    countries = Databases(folder).countries("countries.mmdb", (), Findings())

    assert countries is not None
    assert countries(address_of("192.0.2.1")) == "DE"
    assert countries(address_of("2001:db8::1")) == ""


def test_a_database_that_is_cut_or_written_over_goes_on_as_it_was(folder: Path) -> None:
    """M12: a file that is mapped into memory would end the process."""
    path = folder / "countries.mmdb"
    countries = Databases(folder).countries("countries.mmdb", (), Findings())
    path.write_bytes(b"")
    path.unlink()

    assert countries is not None
    assert countries(address_of("192.0.2.1")) == "DE"


def test_a_damaged_record_is_no_country(folder: Path) -> None:
    """M12"""
    path = folder / "countries.mmdb"
    data = path.read_bytes()
    path.write_bytes(data.replace(b"iso_code", b"\xff\xff\xff\xff\xff\xff\xff\xff"))
    countries = Databases(folder).countries("countries.mmdb", (), Findings())

    assert countries is not None
    assert countries(address_of("192.0.2.1")) == ""


def test_a_database_is_read_once_for_all_that_name_it(folder: Path) -> None:
    databases = Databases(folder)

    one = databases.countries("countries.mmdb", (), Findings())

    assert one is not None
    assert databases.countries("countries.mmdb", (), Findings()) is one


def said_of(text: str, folder: Path) -> str:
    with pytest.raises(ConfigError) as refused:
        loads(text, "gateway.yaml", 1, folder)
    return str(refused.value)


def test_a_database_that_is_not_there_is_told(tmp_path: Path) -> None:
    """M12 V4"""
    assert said_of(GERMAN, tmp_path) == (
        'gateway.yaml:4: context.country[1].geoip: "countries.mmdb" cannot be read: '
        f"no such file or directory; it is looked for at {tmp_path / 'countries.mmdb'}"
    )


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    """M12 V4"""
    for content in (b"", b"country,range\n" * 5000, b"\xab\xcd\xefMaxMind.com"):
        (tmp_path / "countries.mmdb").write_bytes(content)

        assert said_of(GERMAN, tmp_path) == (
            'gateway.yaml:4: context.country[1].geoip: "countries.mmdb" is no MaxMind database; '
            "give the file whose name ends in .mmdb"
        )


def test_without_the_extra_the_remedy_names_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """M12 V4"""
    monkeypatch.setitem(sys.modules, "maxminddb", None)

    assert said_of(GERMAN, folder) == (
        "gateway.yaml:4: context.country[1].geoip: needs the package maxminddb; "
        "install the sidecar with its extra `geo`"
    )
