"""Databases of countries as MaxMind has them, small."""

from collections.abc import Mapping
from pathlib import Path

from mmdb_writer import MMDBWriter
from netaddr import IPSet


def write_countries(path: Path, countries: Mapping[str, str], *, ipv6: bool = True) -> Path:
    """Countries by network: `{"192.0.2.0/24": "DE"}`. Another file takes the name, as when MaxMind's own tool
    updates one."""
    writer = MMDBWriter(
        ip_version=6 if ipv6 else 4,
        ipv4_compatible=ipv6,
        database_type="GeoLite2-Country",
        languages=["en"],
    )
    for network, code in countries.items():
        writer.insert_network(IPSet([network]), {"country": {"iso_code": code, "names": {"en": code}}})
    beside = path.with_suffix(".new")
    writer.to_db_file(str(beside))
    return beside.rename(path)
