"""The side inside: what the sidecar asks of the Envoy around it, and the signals that Envoy must not see."""

import asyncio
import errno
import os
import shutil
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import structlog

from sidecar.runtime.addresses import CannotListen, cannot_listen
from sidecar.runtime.hosting.launch import SIGNALS, Hosted

log = structlog.get_logger("host")

_LOOKS_EVERY_S: Final = 0.01
_ANSWERS_WITHIN_S: Final = 1.0
_STARTS_WITHIN_S: Final = 60.0
_DRAIN: Final = ("/healthcheck/fail", "/drain_listeners")
"""The first has every connection told, with its next answer, to go elsewhere; the second closes the sockets
that take new ones."""


class Envoy:
    """The one around this interpreter."""

    def __init__(self, hosted: Hosted) -> None:
        self._hosted: Final = hosted
        self.is_accepting = False
        paths = [
            Path(address.removeprefix("unix:")) for address in hosted.addresses if address.startswith("unix:")
        ]
        self._sockets: Final = dict.fromkeys(paths, -1)  # and the inode of each

    async def accepting(self) -> None:
        """Returns once it takes connections at every address. May raise CannotListen."""
        async with asyncio.timeout(_STARTS_WITHIN_S):
            while b"LIVE" not in await self._asked("GET", "/ready"):  # noqa: ASYNC110 - Envoy tells nobody
                await asyncio.sleep(_LOOKS_EVERY_S)
        if b'"grpc"' not in await self._asked("GET", "/listeners?format=json"):
            raise CannotListen(self.cannot_listen())
        for path in self._sockets:
            self._sockets[path] = _inode(path)
        self.is_accepting = True

    def cannot_listen(self) -> str:
        """What to say when Envoy could not bind: somebody was faster than it."""
        taken = OSError(errno.EADDRINUSE, "")
        return cannot_listen(" or ".join(self._hosted.addresses), taken)

    async def stop_accepting(self) -> None:
        for page in _DRAIN:
            if not await self._asked("POST", page):
                log.warning("drain_incomplete", reason=f"the hosting Envoy does not answer {page}")
        self._remove_sockets()

    def _remove_sockets(self) -> None:
        """Envoy leaves them behind. Now, before a successor makes its own."""
        for path, inode in self._sockets.items():
            if _inode(path) == inode:
                path.unlink()
        for claim in self._hosted.claims:
            os.close(claim)

    def leave(self) -> None:
        """End the process in Envoy's own good order, with exit code 0."""
        shutil.rmtree(self._hosted.folder, ignore_errors=True)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        # At this thread: sent to the process, it would be taken by the thread that waits for signals.
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    async def _asked(self, method: str, page: str) -> bytes:
        """The whole answer of a page of Envoy's own; empty when there is none in time."""
        head = f"{method} {page} HTTP/1.1\r\nhost: envoy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN_S):
                reader, writer = await asyncio.open_unix_connection(self._hosted.envoy_admin)
                try:
                    writer.write(head.encode())
                    answer = await reader.read()
                finally:
                    writer.close()
        except OSError:
            return b""
        return answer


def on_signals(handlers: Mapping[signal.Signals, Callable[[], object]]) -> None:
    """Call these in the running loop from now on.

    A thread waits for the signals, which are blocked everywhere in the process: Envoy's own handlers would
    end it at once, and the interpreter's are called by a thread that Envoy never gives back to it.
    """
    loop = asyncio.get_running_loop()

    def wait() -> None:
        while True:
            handler = handlers.get(signal.Signals(signal.sigwait(SIGNALS)))
            if handler is not None:
                loop.call_soon_threadsafe(handler)

    threading.Thread(target=wait, name="signals", daemon=True).start()


def _inode(path: Path) -> int:
    """0 when nothing is there."""
    try:
        return path.lstat().st_ino
    except FileNotFoundError:
        return 0
