"""Load reports in the header of ORCA: what is known is read, what cannot be is counted."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xds.data.orca.v3.orca_load_report_pb2 import OrcaLoadReport

from sidecar.core.report import UNKNOWN
from sidecar.wire.orca import LONGEST, report_of

NOTHING = (UNKNOWN, UNKNOWN, UNKNOWN)


def read(header: str) -> tuple[float, float, float, int]:
    report = report_of(header)
    return report.utilisation, report.quota_used, report.cache_hit_rate, report.ignored


def binary(**fields: object) -> str:
    return "BIN " + base64.b64encode(OrcaLoadReport(**fields).SerializeToString(deterministic=True)).decode()


@pytest.mark.parametrize(
    ("header", "utilisation"),
    [
        ("TEXT cpu_utilization=0.3, application_utilization=0.5, mem_utilization=0.9", 0.5),
        ("TEXT cpu_utilization=0.3,mem_utilization=0.9,rps_fractional=10", 0.3),
        ("TEXT cpu_utilization:0.3", 0.3),
        ("cpu_utilization:0.3", 0.3),
        ("TEXT cpu_utilization=0", 0.0),
        ("TEXT cpu_utilization = 1.5 ,", 1.5),
        ("TEXT named_metrics.kv_cache_usage_perc=0.4, named_metrics.num_requests_waiting=3", 0.4),
        ('JSON {"cpu_utilization": 0.3, "mem_utilization": 0.9}', 0.3),
        ('JSON {"cpuUtilization": 0.3, "applicationUtilization": 0.5}', 0.5),
        ('JSON {"named_metrics": {"kv_cache_usage_perc": 0.4}}', 0.4),
        ('JSON {"namedMetrics": {"kv_cache_usage_perc": 1}}', 1.0),
        (binary(cpu_utilization=0.3), 0.3),
        (binary(cpu_utilization=0.3, application_utilization=0.5), 0.5),
        (binary(cpu_utilization=0.3).rstrip("="), 0.3),
    ],
)
def test_reads_how_busy_an_endpoint_is(header: str, utilisation: float) -> None:
    """H8: in each of the formats; the application's own word before that of its processor."""
    assert read(header) == (utilisation, UNKNOWN, UNKNOWN, 0)


@pytest.mark.parametrize(
    "header",
    [
        "TEXT named_metrics.quota_used=0.8, named_metrics.cache_hit_rate=0.6",
        'JSON {"named_metrics": {"quota_used": 0.8, "prefix_cache_hit_rate": 0.6}}',
        binary(named_metrics={"quota_used": 0.8, "cache_hit_rate": 0.6}),
    ],
)
def test_reads_quotas_and_caches_from_named_metrics(header: str) -> None:
    """H8"""
    assert read(header) == (UNKNOWN, 0.8, 0.6, 0)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "TEXT",
        "TEXT ",
        "TEXT mem_utilization=0.5",
        "TEXT named_metrics.queue=7",
        "JSON {}",
        "BIN ",
        binary(eps=3.0),
        binary(cpu_utilization=0.0),
    ],
)
def test_what_says_nothing_that_is_known_is_no_mistake(header: str) -> None:
    """H8"""
    assert read(header) == (*NOTHING, 0)


@pytest.mark.parametrize(
    "number", ["nan", "-0.1", "inf", "-inf", "1e300", "85", "high", "", "0x1", "1_0", "1" * 500]
)
def test_a_number_that_cannot_be_is_counted_and_left_out(number: str) -> None:
    """H8: 85 is a percentage where a share belongs."""
    others = "named_metrics.quota_used=0.5"

    assert read(f"TEXT cpu_utilization={number}, {others}") == (UNKNOWN, 0.5, UNKNOWN, 1)
    assert read(f"TEXT application_utilization={number}, cpu_utilization=0.2") == (0.2, UNKNOWN, UNKNOWN, 1)


def test_a_cache_cannot_hit_more_often_than_always() -> None:
    """H8"""
    assert read("TEXT named_metrics.cache_hit_rate=1.5") == (*NOTHING, 1)


@pytest.mark.parametrize(
    "header",
    [
        "TEXT nonsense",
        "JSON",
        "JSON {",
        "JSON [1]",
        "JSON 1",
        "JSON " + "[" * 3000,
        "BIN ???",
        "BIN AAAA",
        "BIN \u00e9",
        "TEXT cpu_utilization=0.5," + " " * LONGEST,
    ],
)
def test_what_is_no_report_is_counted(header: str) -> None:
    """H8"""
    assert read(header) == (*NOTHING, 1)


@pytest.mark.parametrize("value", [True, None, [0.5], {"a": 0.5}])
def test_a_value_of_another_kind_is_counted(value: object) -> None:
    """H8"""
    assert read("JSON " + json.dumps({"cpu_utilization": value})) == (*NOTHING, 1)


KINDS = st.sampled_from(["TEXT ", "JSON ", "BIN ", ""])
PARTS = st.sampled_from(["cpu_utilization", "named_metrics.", "=", ":", ",", "0.5", "nan", "{", '"', "a"])


@given(KINDS, st.one_of(st.text(max_size=40), st.lists(PARTS, max_size=12).map("".join)))
def test_any_text_is_read_and_what_is_taken_can_be(kind: str, text: str) -> None:
    """H8"""
    utilisation, quota_used, cache_hit_rate, ignored = read(kind + text)

    assert utilisation == UNKNOWN or 0.0 <= utilisation <= 10.0
    assert quota_used == UNKNOWN or 0.0 <= quota_used <= 10.0
    assert cache_hit_rate == UNKNOWN or 0.0 <= cache_hit_rate <= 1.0
    assert ignored in range(4)


@given(st.binary(max_size=60))
def test_any_bytes_are_read(data: bytes) -> None:
    """H8"""
    read("BIN " + base64.b64encode(data).decode())
