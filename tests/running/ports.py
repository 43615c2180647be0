"""Ports of this machine that nobody listens on."""

import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

_LOWEST: Final = 20_000
_HIGHEST: Final = 32_000
"""Below the ports of outgoing connections: a server that is started again must get its port back."""

_chance: Final = random.SystemRandom()


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        return [next(_bindable(held)) for _ in range(count)]


def _bindable(held: ExitStack) -> Iterator[int]:
    while True:
        port = _chance.randrange(_LOWEST, _HIGHEST)
        probe = held.enter_context(socket.socket())
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        yield port


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True
