"""The log itself: what it does when nobody takes it."""

import os
import subprocess
import sys

_TELLS = """
import structlog, sys
from sidecar.runtime import logs
logs.set_up("json")
sys.stdin.read()
for at in range(3):
    structlog.get_logger("test").warning("told", at=at)
print("went on", flush=True)
"""


def test_whoever_says_something_goes_on_when_nobody_reads_the_log() -> None:
    """O4: a pipe whose reader is gone, or a full disk, ends neither reloads nor saves nor a shutdown."""
    read, write = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", _TELLS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=write
    ) as one:
        os.close(read)
        os.close(write)
        told, _ = one.communicate(timeout=20)

    assert told == b"went on\n"
