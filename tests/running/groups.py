"""Ending a child that leads a process group of its own, so that nothing of it is left behind."""

import contextlib
import os
import signal
import subprocess
from typing import Any, Final

_STOPS_WITHIN_S: Final = 15.0


def stopped(process: subprocess.Popen[Any], number: signal.Signals = signal.SIGTERM) -> int:
    """Its exit code; killed with its whole group when it does not leave by itself."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        return process.wait(_STOPS_WITHIN_S)
    except subprocess.TimeoutExpired:
        return killed(process)


def killed(process: subprocess.Popen[Any]) -> int:
    """Its exit code, after SIGKILL to its group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()
