"""Clients that send one request after the other until they are told to stop."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.running.asking import ASK_WITHIN_S

CLIENTS = 8


@dataclass
class Load:
    """What the clients have seen so far. `failed` has what was no 200: a status, or why there was none."""

    names: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    longest_s: float = 0.0

    @property
    def answered(self) -> int:
        return self.names.total()

    def ask(self, client: http.client.HTTPConnection, path: str, counting: threading.Lock) -> None:
        begun = time.monotonic()
        name = problem = ""
        try:
            client.request("GET", path)
            response = client.getresponse()
            body = response.read()
            if response.status == 200:
                name = json.loads(body)["name"]
            else:
                problem = f"{response.status} {body[:200]!r}"
        except (OSError, http.client.HTTPException) as error:
            client.close()
            problem = repr(error)
        took_s = time.monotonic() - begun
        with counting:
            self.longest_s = max(self.longest_s, took_s)
            if problem:
                self.failed.append(problem)
            else:
                self.names[name] += 1


@contextmanager
def load(port: int, path: str, clients: int = CLIENTS) -> Iterator[Load]:
    """They send while the block runs, each over a connection that it keeps."""
    seen = Load()
    told = threading.Event()
    counting = threading.Lock()

    def send() -> None:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=ASK_WITHIN_S)
        try:
            while not told.is_set():
                seen.ask(client, path, counting)
        finally:
            client.close()

    threads = [threading.Thread(target=send) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        told.set()
        for thread in threads:
            thread.join()
