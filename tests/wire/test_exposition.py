"""What is read from pages of metrics in the text form of Prometheus."""

import pytest

from sidecar.core.watch import Reading, ScrapeRule
from sidecar.wire.exposition import report_of

VLLM = """\
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="llama"} 3.0
vllm:num_requests_waiting{engine="1",model_name="llama"} 4.0
# HELP vllm:kv_cache_usage_perc KV-cache usage. 1 means 100 percent usage.
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="llama"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="llama"} 0.5
vllm:kv_cache_usage_perc_other 0.9
cache_hit_rate 7.5e-01 1700000000000
quota_used\t0.125
"""


def utilisation(page: str, *readings: Reading) -> float:
    return report_of(page.encode(), ScrapeRule(utilisation=readings)).utilisation


def test_the_largest_of_what_is_read_is_the_utilisation() -> None:
    """H8"""
    cache = Reading("vllm:kv_cache_usage_perc")
    waiting = Reading("vllm:num_requests_waiting", full=10)

    assert utilisation(VLLM, cache) == 0.5
    assert utilisation(VLLM, waiting) == 0.4
    assert utilisation(VLLM, waiting, cache) == 0.5
    assert utilisation(VLLM, Reading("vllm:num_requests_waiting", full=10, summed=True), cache) == 0.7


def test_labels_choose_samples() -> None:
    """H8"""
    assert utilisation(VLLM, Reading("vllm:kv_cache_usage_perc", labels=(("engine", "0"),))) == 0.25
    assert utilisation(VLLM, Reading("vllm:kv_cache_usage_perc", labels=(("engine", "7"),))) < 0


def test_quota_and_cache_are_read_likewise() -> None:
    """H8"""
    rule = ScrapeRule(quota_used=(Reading("quota_used"),), cache_hit_rate=(Reading("cache_hit_rate"),))

    report = report_of(VLLM.encode(), rule)

    assert (report.quota_used, report.cache_hit_rate, report.ignored) == (0.125, 0.75, 0)
    assert report.utilisation < 0


def test_what_is_not_there_is_not_told() -> None:
    assert not report_of(VLLM.encode(), ScrapeRule(utilisation=(Reading("absent"),))).says_something()
    assert not report_of(b"", ScrapeRule(utilisation=(Reading("a"),))).says_something()


@pytest.mark.parametrize("value", ["NaN", "-1", "+Inf", "-Inf", "much", "", "11"])
def test_what_cannot_be_is_counted_and_left_out(value: str) -> None:
    """H8"""
    report = report_of(f"load {value}\n".encode(), ScrapeRule(utilisation=(Reading("load"),)))

    assert not report.says_something()
    assert report.ignored == 1


def test_one_bad_line_hides_no_other() -> None:
    page = b'load{a="1"} NaN\nload{a="2" 0.5\nload{a="\xff"} 0.6\nload{a="3"} 0.25\nother much\n'

    report = report_of(page, ScrapeRule(utilisation=(Reading("load"),)))

    assert (report.utilisation, report.ignored) == (0.25, 3)


def test_more_than_is_full_is_beyond_and_bounded() -> None:
    assert utilisation("queue 30\n", Reading("queue", full=20)) == 1.5
    assert utilisation("queue 1e9\n", Reading("queue", full=20)) == 10


def test_quoted_text_in_labels_is_no_line() -> None:
    page = 'load{path="C:\\\\a\\nload 0.9",more="}"} 0.25\n'

    assert utilisation(page, Reading("load", labels=(("more", "}"),))) == 0.25


def test_a_page_of_nothing_but_samples_is_read_in_part() -> None:
    page = b"".join(b'load{a="%d"} 0.%d\n' % (at, at % 10) for at in range(60_000))

    report = report_of(page, ScrapeRule(utilisation=(Reading("load"),)))

    assert (report.utilisation, report.ignored) == (0.9, 1)


def test_a_line_without_end_is_not_read() -> None:
    report = report_of(b"load{" + b'a="b",' * 150_000, ScrapeRule(utilisation=(Reading("load"),)))

    assert (report.says_something(), report.ignored) == (False, 1)
