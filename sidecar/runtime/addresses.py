"""Whether an address can be listened on, asked before it is: so that the error says why and what to do."""

import os
import socket
import stat
from pathlib import Path
from typing import Final

MOST_SOCKET_PATH_BYTES: Final = 107


class CannotListen(Exception):
    """The address cannot be had; the text says which, why and what to do."""


def probe(address: str) -> None:
    """May raise CannotListen: gRPC itself says only that it failed, not why."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        raise CannotListen(cannot_listen(address, error)) from error


def cannot_listen(address: str, error: OSError) -> str:
    """What is wrong and what to do, in one line."""
    reason = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)
    return (
        f"cannot listen on {address}: {reason}; stop what uses it or choose another with --listen or --admin"
    )


def clear_the_way(path: Path) -> None:
    """Remove the socket that a dead process left; leave everything else alone."""
    address = f"unix:{path}"
    if not path.parent.is_dir():
        raise CannotListen(
            f"cannot listen on {address}: no directory {path.parent}; make it or choose another path"
        )
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise CannotListen(
            f"cannot listen on {address}: {path.parent} is not writable; "
            "change its owner or choose another path"
        )
    if len(os.fsencode(path)) > MOST_SOCKET_PATH_BYTES:
        raise CannotListen(
            f"cannot listen on {address}: a socket path has at most {MOST_SOCKET_PATH_BYTES} bytes; "
            "choose a shorter one"
        )
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise CannotListen(
            f"cannot listen on {address}: a file is there that is no socket; remove it or choose another"
        )
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:  # nobody has it open any more
            path.unlink()
            return
        except OSError as error:
            raise CannotListen(cannot_listen(address, error)) from error
    raise CannotListen(
        f"cannot listen on {address}: address already in use; stop what uses it or choose another path"
    )
