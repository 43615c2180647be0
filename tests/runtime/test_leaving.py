"""The end of the process while some thread hangs."""

import subprocess
import sys

import pytest

_HANGING = """
import threading
from concurrent.futures import ThreadPoolExecutor
from sidecar.runtime.leaving import leave
pool = ThreadPoolExecutor(1)
never = threading.Event()
pool.submit(never.wait)
pool.shutdown(wait=False, cancel_futures=True)
print("closed", flush=True)
leave(0.1)
"""
_DONE = """
from concurrent.futures import ThreadPoolExecutor
from sidecar.runtime.leaving import leave
ThreadPoolExecutor(1).submit(print, "closed").result()
leave()
raise SystemExit(3)
"""


@pytest.mark.parametrize(("program", "code"), [(_HANGING, 0), (_DONE, 3)], ids=["hanging", "done"])
def test_the_process_ends_whatever_its_threads_wait_for(program: str, code: int) -> None:
    """V6: a name server or a disk that never answers; where none hangs, it ends as ever."""
    ended = subprocess.run([sys.executable, "-c", program], timeout=20, capture_output=True, check=False)

    assert (ended.returncode, ended.stdout) == (code, b"closed\n")
