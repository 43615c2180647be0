"""What a fault run says: judgements of its numbers, a table, and a picture."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.bench.failing import DOWN, ERROR, HANG, USUAL
from tests.bench.rows import Row, row
from tests.bench.steady import Got

BROKEN: Final = "b"
MOST_FAILED: Final = 0.001
MOST_KNOWN: Final = 10
"""Failures, after which the broken endpoint gets no ordinary request any more."""
AT_MOST_S: Final = 1.0
"""Nor after so long."""
_FULL: Final = 0.9
"""Of its fair share, which is then called full."""
_GAP: Final = 0.5
"""Of the time that a breaker is open; requests that are farther apart are of different trials."""
_SAID: Final = {USUAL: "recovers", ERROR: "answers 500", HANG: "hangs", DOWN: "refuses connections"}
_STYLE: Final[dict[Any, Any]] = {
    "svg.hashsalt": "sidecar",
    "svg.fonttype": "none",  # text stays text: smaller, and searchable
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "lines.linewidth": 1.4,
}


@dataclass(frozen=True, slots=True)
class Phase:
    """From when to when the broken endpoint behaved so. `after` is how it did before."""

    word: str
    after: str
    began: float
    ended: float

    @property
    def said(self) -> str:
        return "all is well" if self.word == self.after == USUAL else f"{BROKEN} {_SAID[self.word]}"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the run was made with."""

    open_s: float
    half_open: int
    per_try_s: float
    slow_start_s: float


@dataclass(frozen=True, slots=True)
class Played:
    """All that was seen of a run. Times are seconds of one clock. `came` is when requests came to each
    endpoint, by its own log, and how it behaved then; `refused` is when Envoy's connections to the broken one
    failed; `others_out` is how often another endpoint was left alone. That happens where the machine is too
    slow for the load, and then nothing of the run can be trusted."""

    phases: list[Phase]
    got: list[Got]
    came: dict[str, list[tuple[float, str]]]
    refused: list[float]
    rules: Rules
    others_out: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """What came of one. `ordinary` are the requests that the broken endpoint got until it was left alone, the
    last of them `last_s` after the first; `late` are those of them that came when 10 failures could be known
    or a second was over. `trials` are how many came later, together each time."""

    phase: Phase
    requests: int
    failed: int
    p99_s: float
    ordinary: int
    last_s: float
    late: int
    trials: list[int]


@dataclass(frozen=True, slots=True)
class Recovery:
    """`back_s` is how long after the endpoint's recovery it had its full share; negative for never."""

    phase: Phase
    requests: int
    failed: int
    back_s: float


def faults(played: Played) -> list[Fault]:
    return [_fault(phase, played) for phase in played.phases if phase.word != USUAL]


def recoveries(played: Played) -> list[Recovery]:
    found = []
    for phase in played.phases:
        if phase.word == USUAL and phase.after != USUAL:
            within = _within(phase, played.got)
            found.append(Recovery(phase, len(within), _failed(within), _back_s(phase, within)))
    return found


def rows(played: Played) -> list[Row]:
    """With the goals."""
    found: list[Row] = []
    well = [_within(phase, played.got) for phase in played.phases if phase.word == phase.after == USUAL]
    sent = sum(map(len, well))
    if sent:
        failed = sum(map(_failed, well))
        found.append(row("outage.well.failed", failed / sent, "of GETs", at_most=MOST_FAILED))
    for fault in faults(played):
        name = f"outage.{fault.phase.word}"
        found += [
            row(f"{name}.requests", fault.requests, "GETs"),
            row(f"{name}.failed", fault.failed / max(fault.requests, 1), "of GETs", at_most=MOST_FAILED),
            row(f"{name}.p99", fault.p99_s * 1000, "ms"),
            row(f"{name}.ordinary", fault.ordinary, "requests to it"),
            row(f"{name}.ordinary_for", fault.last_s, "s", at_most=AT_MOST_S),
            row(f"{name}.ordinary_late", fault.late, "requests to it", at_most=0),
            row(f"{name}.trials", sum(fault.trials), "requests to it"),
            row(
                f"{name}.trials_together",
                max(fault.trials, default=0),
                "requests to it",
                at_most=played.rules.half_open,
            ),
        ]
    found.append(row("outage.others_out", played.others_out, "times", at_most=0))
    for back in recoveries(played):
        name = f"outage.after_{back.phase.after}"
        failed_share = back.failed / max(back.requests, 1)
        back_s = back.back_s if back.back_s >= 0 else float("inf")
        found += [
            row(f"{name}.failed", failed_share, "of GETs", at_most=MOST_FAILED),
            row(f"{name}.back", back_s, "s", at_most=played.rules.slow_start_s),
        ]
    return found


def table(played: Played) -> str:
    """Markdown."""
    lines = [
        "| phase | GETs | failed | p99 | b got, until left alone | the last of these after | late | trials |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for phase in played.phases:
        if phase.word == phase.after == USUAL:
            within = _within(phase, played.got)
            failed = _told_failed(phase, played)
            p99_ms = 1000 * _p99_s(within)
            lines.append(f"| {phase.said} | {len(within):,} | {failed} | {p99_ms:.0f} ms | | | | |")
    for fault in faults(played):
        trials = ", ".join(map(str, fault.trials)) or "none"
        lines.append(
            f"| {fault.phase.said} | {fault.requests:,} | {_told_failed(fault.phase, played)} "
            f"| {1000 * fault.p99_s:.0f} ms "
            f"| {fault.ordinary} | {fault.last_s:.2f} s | {fault.late} | {trials} |"
        )
    lines += ["", "| phase | GETs | failed | back at its full share after |", "|---|---:|---:|---:|"]
    for back in recoveries(played):
        after = f"{back.back_s:.0f} s" if back.back_s >= 0 else "not"
        said = f"{BROKEN} recovers; before, it {_SAID[back.phase.after]}"
        lines.append(f"| {said} | {back.requests:,} | {_told_failed(back.phase, played)} | {after} |")
    return "\n".join(lines) + "\n"


def _told_failed(phase: Phase, played: Played) -> str:
    """How many, and with what status each; 0 stands for no answer."""
    statuses = Counter(got.status for got in _within(phase, played.got) if got.status != 200)
    said = ", ".join(f"{count} with {status}" for status, count in sorted(statuses.items()))
    return said or "0"


def _fault(phase: Phase, played: Played) -> Fault:
    within = _within(phase, played.got)
    if phase.word == DOWN:
        came = [at for at in played.refused if phase.began <= at < phase.ended]
    else:
        came = [
            at for at, word in played.came[BROKEN] if word == phase.word and phase.began <= at < phase.ended
        ]
    groups = _groups(came, _GAP * played.rules.open_s)
    # Where the endpoint was left alone already when the phase began, there are trials only.
    first = groups.pop(0) if groups and phase.after == USUAL else []
    takes_s = played.rules.per_try_s if phase.word == HANG else 0.0
    limit = first[0] + AT_MOST_S if first else 0.0
    if len(first) >= MOST_KNOWN:
        limit = min(limit, first[MOST_KNOWN - 1] + takes_s)
    late = sum(at > limit for at in first)
    last_s = first[-1] - first[0] if first else 0.0
    trials = [len(group) for group in groups]
    return Fault(phase, len(within), _failed(within), _p99_s(within), len(first), last_s, late, trials)


def _groups(times: Sequence[float], gap_s: float) -> list[list[float]]:
    found: list[list[float]] = []
    for at in sorted(times):
        if not found or at - found[-1][-1] > gap_s:
            found.append([])
        found[-1].append(at)
    return found


def _back_s(phase: Phase, within: Sequence[Got]) -> float:
    """The end of the first second in which it had its full share, and had it in the next too."""
    seconds = int(phase.ended - phase.began)
    shares = [_share([got for got in within if 0 <= got.due - phase.began - at < 1]) for at in range(seconds)]
    for at in range(seconds - 1):
        if min(shares[at], shares[at + 1]) >= _FULL / 3:
            return at + 1.0
    return -1.0


def _share(got: Sequence[Got], endpoint: str = BROKEN) -> float:
    return sum(each.endpoint == endpoint and each.status == 200 for each in got) / max(len(got), 1)


def _within(phase: Phase, got: Sequence[Got]) -> list[Got]:
    return [each for each in got if phase.began <= each.due < phase.ended]


def _failed(got: Sequence[Got]) -> int:
    return sum(each.status != 200 for each in got)


def _p99_s(got: Sequence[Got]) -> float:
    took = sorted(each.took_s for each in got)
    return took[int(0.99 * (len(took) - 1))] if took else 0.0


def draw(played: Played, path: Path) -> None:
    """Share, errors and latency over time; ImportError without matplotlib."""
    import matplotlib as mpl  # noqa: PLC0415 - not needed for anything else
    from matplotlib.figure import Figure  # noqa: PLC0415

    began, ended = played.phases[0].began, played.phases[-1].ended
    seconds = range(int(ended - began))
    bins: list[list[Got]] = [[] for _ in seconds]
    for got in played.got:
        at = int(got.due - began)
        if 0 <= at < len(bins):
            bins[at].append(got)
    middle = [at + 0.5 for at in seconds]
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        figure = Figure(figsize=(9.0, 7.0), layout="constrained")
        share, errors, latency = figure.subplots(3, 1, sharex=True)
        for endpoint, dashes in zip(sorted(played.came), ("-", "-", ":"), strict=True):
            shares = [100 * _share(each, endpoint) for each in bins]
            share.plot(middle, shares, dashes, label=endpoint)
            errors.plot(middle, _errors(endpoint, played, began, len(bins)), dashes, label=f"of {endpoint}")
        errors.plot(middle, [_failed(each) for each in bins], "k--", label="of clients' GETs")
        latency.plot(middle, [1000 * _p99_s(each) for each in bins], "k", label="p99 of clients' GETs")
        for phase in played.phases:
            for panel in (share, errors, latency):
                if phase.word != USUAL:
                    panel.axvspan(phase.began - began, phase.ended - began, color="0.9", zorder=0)
            if phase.word != USUAL:
                share.text((phase.began + phase.ended) / 2 - began, 96, phase.said, ha="center", va="top")
        share.set_ylim(0, 100)
        share.set_ylabel("served GETs (%)")
        errors.set_yscale("symlog", linthresh=1)
        errors.set_ylim(bottom=0)
        errors.set_ylabel("failures each second")
        latency.set_yscale("log")
        latency.set_ylabel("latency (ms)")
        latency.set_xlabel("time (s)")
        for panel in (share, errors, latency):
            panel.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
        metadata = {"Date": None, "Creator": None} if path.suffix == ".svg" else {"Software": None}
        figure.savefig(path, metadata=metadata)


def _errors(endpoint: str, played: Played, began: float, seconds: int) -> list[int]:
    """Attempts each second that it answered with 500, or did not answer, or refused."""
    times = [at for at, word in played.came[endpoint] if word != USUAL]
    times += played.refused if endpoint == BROKEN else []
    counts = [0] * seconds
    for at in times:
        if 0 <= at - began < seconds:
            counts[int(at - began)] += 1
    return counts
