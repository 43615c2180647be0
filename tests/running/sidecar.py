"""The sidecar as its users run it: the command, in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families

import sidecar
from tests.running.groups import killed, stopped
from tests.waiting import until

_SOURCES: Final = Path(sidecar.__file__).parents[1]
_RUNS_WITHIN_S: Final = 60.0
_ANSWERS_WITHIN_S: Final = 5.0


def command() -> list[str]:
    """The installed one beside the running interpreter, else the package that the tests import."""
    beside = Path(sys.executable).parent / "sidecar"
    return [str(beside)] if beside.exists() else [sys.executable, "-m", "sidecar"]


def environment(**more: str) -> dict[str, str]:
    """This one's, such that the package is found from any folder."""
    found = [str(_SOURCES), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(found), "NO_COLOR": "1", "COLUMNS": "200", **more}


def run(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    """The command with these arguments, to its end; `more` goes into its environment."""
    return subprocess.run(
        [*command(), *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment(**more),
        timeout=_RUNS_WITHIN_S,
        check=False,
        start_new_session=True,
    )


class RunningSidecar:
    """`sidecar serve`, which may be ended and started again; its log goes on in one file."""

    def __init__(self, config: Path, admin: str, transport: str = "grpc") -> None:
        self._transport: Final = transport
        self._config: Final = config
        self._admin: Final = admin
        self._log: Final = config.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it is ready."""
        with self._log.open("ab") as output:
            self._process = process = subprocess.Popen(
                [
                    *(*command(), "serve", str(self._config)),
                    *("--log-format", "json", "--transport", self._transport),
                ],
                stdout=output,
                stderr=output,
                env=environment(),
                start_new_session=True,
            )

        def ready() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"the sidecar ended:\n{self._log.read_text()}")
            return self.status("/readyz") == 200

        until(ready, "the sidecar's start", within_s=20.0)

    def tell(self, number: signal.Signals) -> None:
        self._running().send_signal(number)

    def stop(self) -> int:
        """The exit code after SIGTERM."""
        return stopped(self._running())

    def kill(self) -> None:
        """Gone without a word."""
        killed(self._running())

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            stopped(self._process)

    @property
    def ended(self) -> bool:
        return self._running().poll() is not None

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of the log with this event."""
        lines = [json.loads(line) for line in self.lines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def lines(self) -> list[str]:
        """Of the log; the last only once it is whole."""
        return self._log.read_text().split("\n")[:-1]

    def status(self, path: str) -> int:
        """Of the admin page; 0 when nobody is there."""
        try:
            with urllib.request.urlopen(f"http://{self._admin}{path}", timeout=_ANSWERS_WITHIN_S) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0

    def samples(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """The metric's values by the values of these labels."""
        found: dict[tuple[str, ...], float] = {}
        with urllib.request.urlopen(f"http://{self._admin}/metrics", timeout=_ANSWERS_WITHIN_S) as answer:
            text = answer.read().decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name:
                    found[tuple(sample.labels[label] for label in labels)] = sample.value
        return found

    def sample(self, name: str, **labels: str) -> float:
        """The value of one; 0 when there is none."""
        return self.samples(name, *labels).get(tuple(labels.values()), 0.0)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "it was never started"
        return self._process
