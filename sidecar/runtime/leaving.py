"""The end of the process, which waits for no thread that hangs.

What asks a name server or a disk may be held there for ever, and at its end Python waits for every thread
that was not made a daemon, however long that takes.
"""

import contextlib
import os
import sys
import threading
import time
from typing import Final

_WITHIN_S: Final = 1.0


def leave(within_s: float = _WITHIN_S) -> None:
    """Once all is saved and closed: end the process with 0 if some thread does not end by itself. Returns
    where none is left."""
    until = time.monotonic() + within_s
    for thread in threading.enumerate():
        if thread is threading.current_thread() or thread.daemon:
            continue
        thread.join(max(until - time.monotonic(), 0.0))
        if thread.is_alive():
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(0)
