"""The side inside: what the sidecar asks of the Envoy around it, and the signals that Envoy must not see."""

import asyncio
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from sidecar.runtime.hosting.launch import SIGNALS, Hosted

_LOOKS_EVERY_S: Final = 0.01
_DRAIN: Final = ("/healthcheck/fail", "/drain_listeners")
"""The first has every connection told, with its next answer, to go elsewhere; the second closes the sockets
that take new ones."""


class Envoy:
    """The one around this interpreter."""

    def __init__(self, hosted: Hosted) -> None:
        self._hosted: Final = hosted
        paths = [
            Path(address.removeprefix("unix:")) for address in hosted.addresses if address.startswith("unix:")
        ]
        self._sockets: Final = dict.fromkeys(paths, -1)  # and the inode of each

    async def accepting(self) -> None:
        """Returns once every address takes connections."""
        for address in self._hosted.addresses:
            while not _accepts(address):  # noqa: ASYNC110 - Envoy tells nobody
                await asyncio.sleep(_LOOKS_EVERY_S)
        for path in self._sockets:
            self._sockets[path] = _inode(path)

    async def stop_accepting(self) -> None:
        for page in _DRAIN:
            await self._tell(page)
        self._remove_sockets()

    def _remove_sockets(self) -> None:
        """Envoy leaves them behind. Now, before a successor makes its own."""
        for path, inode in self._sockets.items():
            if _inode(path) == inode:
                path.unlink()

    def leave(self) -> None:
        """End the process in Envoy's own good order, with exit code 0."""
        shutil.rmtree(self._hosted.folder, ignore_errors=True)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        # At this thread: sent to the process, it would be taken by the thread that waits for signals.
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    async def _tell(self, page: str) -> None:
        reader, writer = await asyncio.open_unix_connection(self._hosted.envoy_admin)
        try:
            head = f"POST {page} HTTP/1.1\r\nhost: envoy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            writer.write(head.encode())
            await reader.read()
        finally:
            writer.close()


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


def _accepts(address: str) -> bool:
    path = address.removeprefix("unix:")
    if path != address:
        with socket.socket(socket.AF_UNIX) as one:
            return Path(path).exists() and one.connect_ex(path) == 0
    host, _, port = address.rpartition(":")
    with socket.socket(socket.AF_INET6 if host.startswith("[") else socket.AF_INET) as one:
        return one.connect_ex((host.strip("[]"), int(port))) == 0
