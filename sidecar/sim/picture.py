"""Load, latency and share of each endpoint over time, as a picture.

The same run gives the same bytes, so that pictures in a documentation change only when what they show does.
matplotlib is not loaded for anything else, and need not be installed.
"""

from collections.abc import Sequence
from math import isnan, nan
from pathlib import Path
from typing import Any, Final

from sidecar.sim.result import Played

FORMATS: Final = ("svg", "png")
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
_NO_DATE: Final[dict[str, dict[str, Any]]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}
_WIDTH, _HEIGHT = 5.0, 2.1
_MOST_NAMED: Final = 12


def draw(title: str, runs: Sequence[tuple[str, Played]], path: Path) -> None:
    """Three panels for each run, side by side, so that they can be compared, and a fourth where endpoints
    have caches. `path` ends in svg or png.

    ImportError without matplotlib, OSError when the file cannot be written.
    """
    import matplotlib as mpl  # noqa: PLC0415 - see above
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter  # noqa: PLC0415

    kind = path.suffix.removeprefix(".").lower()
    with mpl.rc_context():
        mpl.rcdefaults()  # whatever this user has set
        mpl.rcParams.update(_STYLE)
        cached = any(played.attempts.hits for _, played in runs)
        count = 4 if cached else 3
        size = (_WIDTH * len(runs) + 0.6, _HEIGHT * count)
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(count, len(runs), sharex=True, sharey="row", squeeze=False)
        figure.suptitle(title)
        for column, (name, played) in enumerate(runs):
            load, latency, share = (panels[row][column] for row in range(3))
            last = panels[-1][column]
            for endpoint, (loads, latencies, shares, hits) in _lines(played).items():
                times = [(at + 0.5) * played.step_s for at in range(len(loads))]
                load.plot(times, loads, label=endpoint)
                latency.plot(times, latencies, label=endpoint, **_dots(latencies))
                share.plot(times, shares, label=endpoint)
                if cached:
                    last.plot(times, hits, label=endpoint, **_dots(hits))
            load.set_title(name)
            load.set_ylim(0, 105)
            latency.set_yscale("log")
            latency.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            latency.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            latency.yaxis.set_minor_formatter(NullFormatter())
            share.set_ylim(0, 105)
            last.set_ylim(0, 105)
            last.set_xlabel("time (s)")
            if column == 0:
                load.set_ylabel("busy (%)")
                latency.set_ylabel("p95 latency (ms)")
                share.set_ylabel("share of requests (%)")
                if cached:
                    last.set_ylabel("cache hits (%)")
        lines = panels[0][0].get_lines()[:_MOST_NAMED]
        figure.legend(
            lines,
            [str(line.get_label()) for line in lines],
            loc="outside lower center",
            ncols=min(len(lines), 4),
        )
        figure.savefig(path, format=kind, dpi=120, metadata=_NO_DATE[kind])


def _lines(played: Played) -> dict[str, tuple[list[float], ...]]:
    """By endpoint and step: busy in percent, p95 in ms, share and hits in percent; a gap for nothing."""
    attempts, step_s = played.attempts, played.step_s
    count = len(next(iter(played.busy.values())))
    lines: dict[str, tuple[list[float], ...]] = {
        endpoint: ([100.0 * busy for busy in played.busy[endpoint]], [], [], []) for endpoint in shown(played)
    }
    for at in range(count):
        part = attempts.between(at * step_s, (at + 1) * step_s)
        shares = part.shares()
        for endpoint, (_, latencies, parts, hits) in lines.items():
            own = part.of(endpoint)
            rate = own.hit_rate()
            latencies.append(1000.0 * own.latency_s(0.95) if len(own) else nan)
            parts.append(100.0 * shares[endpoint])
            hits.append(nan if rate is None else 100.0 * rate)
    return lines


def _dots(values: Sequence[float]) -> dict[str, Any]:
    """Between two gaps there may be one value alone, which no line shows."""
    return {"marker": ".", "markersize": 3} if any(isnan(value) for value in values) else {}


def shown(played: Played) -> list[str]:
    """The endpoints that got requests; all of them where none did."""
    got = set(played.attempts.went_to)
    return [each for number, each in enumerate(played.attempts.endpoints) if number in got or not got]
