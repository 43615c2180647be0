"""What is read from pages of metrics in the text form of Prometheus."""

import time
from collections.abc import Callable

import pytest

from sidecar.core.report import Report
from sidecar.core.watch import Reading, ScrapeRule
from sidecar.wire.exposition import read

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


def steps_of(page: bytes, rule: ScrapeRule) -> tuple[list[float], Report]:
    """How long each step took, in CPU time, and what was read."""
    steps = read(page, rule)
    taken: list[float] = []
    while True:
        begun = time.thread_time()
        try:
            next(steps)
        except StopIteration as end:
            report: Report = end.value
            return [*taken, time.thread_time() - begun], report
        taken.append(time.thread_time() - begun)


def report_of(page: bytes, rule: ScrapeRule) -> Report:
    return steps_of(page, rule)[1]


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


@pytest.mark.parametrize("value", ["9" * 2000, "1 " + "9" * 2000, "1e999999", "0x1", "1_0"])
def test_a_number_that_no_computer_holds_is_counted_and_left_out(value: str) -> None:
    """H8: as a value, or as the time of one."""
    page = f"load {value}\nload 0.25\n".encode()

    report = report_of(page, ScrapeRule(utilisation=(Reading("load"),)))

    assert (report.utilisation, report.ignored) == (0.25, 1)


def test_a_page_of_lines_that_are_hard_to_read_is_read_in_part() -> None:
    """H8: no request is decided meanwhile. The last sample stands behind more text than is read."""
    hard = b'load{a="' + b"\\\\" * 900 + b'"} 0.5\n'

    report = report_of(hard * 10 + b"load 0.9\n", ScrapeRule(utilisation=(Reading("load"),)))

    assert (report.utilisation, report.ignored) == (0.5, 1)


def test_names_that_only_begin_so_do_not_end_the_reading() -> None:
    """H8: neither counted nor read; the separators may be any of the three."""
    page = b"load_more 0.9\n" * 50_000 + b'load\t0.1\nload 0.2\nload{a="b"} 0.3\n'

    report = report_of(page, ScrapeRule(utilisation=(Reading("load", summed=True),)))

    assert (round(report.utilisation, 9), report.ignored) == (0.6, 0)


def test_escapes_in_labels_are_undone() -> None:
    page = 'load{path="C:\\\\a\\nb \\"x\\" \\q",} 0.25\r\n'

    labels = (("path", 'C:\\a\nb "x" \\q'),)

    assert utilisation(page, Reading("load", labels=labels)) == 0.25


@pytest.mark.parametrize(
    "line",
    [
        'load{a="b"',
        'load{a="b"} ',
        "load{a=b} 0.5",
        'load{a="b" c="d"} 0.5',
        "load{,} 0.5",
        "load{{} 0.5",
        "load 0.5 0.5 0.5",
        "load 0.5 # 1",
        "load 5e",
        "load .",
    ],
)
def test_what_is_no_sample_is_counted_and_left_out(line: str) -> None:
    """H8"""
    report = report_of(f"{line}\nload 0.25\n".encode(), ScrapeRule(utilisation=(Reading("load"),)))

    assert (report.utilisation, report.ignored) == (0.25, 1)


MEGABYTE = 1_048_576
HARD: dict[str, Callable[[int], bytes]] = {
    "names that begin so": lambda size: b"ab\n" * (size // 3),
    "names that almost are": lambda size: b"a_more{b=1}\n" * (size // 12),
    "nothing but beginnings of lines": lambda size: b"\n" * size,
    "one line": lambda size: b"a{" + b'b="c",' * (size // 6),
    "many labels": lambda size: (b"a{" + b'bc="d",' * 290 + b"} 1\n") * (size // 2036),
    "backslashes": lambda size: (b'a{b="' + b"\\\\" * 980 + b'"} 1\n') * (size // 1970),
    "quotes": lambda size: (b"a{" + b'"' * 2000 + b"} 1\n") * (size // 2006),
    "spaces": lambda size: (b"a{" + b" " * 2000 + b"\n") * (size // 2003),
    "digits": lambda size: (b"a " + b"1" * 2000 + b"x\n") * (size // 2004),
}
TEN = ScrapeRule(utilisation=tuple(Reading("a" + "b" * at) for at in range(10)))


@pytest.mark.alone
@pytest.mark.parametrize("kind", HARD)
def test_no_step_takes_long_whatever_the_page(kind: str) -> None:
    """H8: no request waits for longer. In CPU time; the two longest may have had a garbage collection."""
    taken, _ = steps_of(HARD[kind](MEGABYTE), TEN)

    assert len(taken) > 2
    assert sorted(taken)[-3] < 0.002


def test_a_page_is_looked_through_in_parts() -> None:
    """H8: each name three times, in steps of 64 KB, and one that is wanted twice but once."""
    once = ScrapeRule(utilisation=(Reading("load"),))
    twice = ScrapeRule(utilisation=(Reading("load"),), quota_used=(Reading("load", full=2.0),))

    assert len(steps_of(b"x" * MEGABYTE, once)[0]) == 3 * 17 + 1
    assert len(steps_of(b"x" * MEGABYTE, twice)[0]) == 3 * 17 + 1


@pytest.mark.parametrize("behind", [b"{} 0.5", b" 0.5", b"\t0.5"])
def test_a_sample_is_found_wherever_a_part_ends(behind: bytes) -> None:
    for before in range(65_536 - 20, 65_536 + 5):
        page = b"#" * before + b"\nload" + behind + b"\n"
        assert report_of(page, ScrapeRule(utilisation=(Reading("load"),))).utilisation == 0.5
