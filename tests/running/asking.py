"""Requests to Envoy, each over a connection of its own, and what came back."""

import http.client
import json
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

ASK_WITHIN_S: Final = 15.0

Pairs = Iterable[tuple[str, str | bytes]]


@dataclass
class Reply:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]

    @property
    def seen(self) -> dict[str, Any]:
        """What the endpoint says that it saw."""
        told: dict[str, Any] = json.loads(self.body)
        return told

    @property
    def name(self) -> str:
        """The endpoint that answered."""
        return str(self.seen["name"])

    def arrived(self, name: str) -> list[str]:
        """Every value of this header that the endpoint saw."""
        return [value for key, value in self.seen["pairs"] if key == name]


def ask(
    port: int,
    path: str = "/",
    headers: Mapping[str, str] | Pairs = (),
    method: str = "GET",
    body: bytes | Iterable[bytes] | None = None,
) -> Reply:
    """The body goes with its length where it is bytes, else in chunks."""
    pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ASK_WITHIN_S)
    try:
        named = any(name.lower() == "host" for name, _ in pairs)
        connection.putrequest(method, path, skip_host=named, skip_accept_encoding=True)
        for name, value in pairs:
            connection.putheader(name, value)
        if isinstance(body, bytes):
            connection.putheader("content-length", str(len(body)))
        elif body is not None:
            connection.putheader("transfer-encoding", "chunked")
        connection.endheaders(body, encode_chunked=not isinstance(body, bytes))
        return _reply(connection.getresponse())
    finally:
        connection.close()


def ask_raw(port: int, request: bytes) -> Reply:
    """These bytes as they are."""
    with socket.create_connection(("127.0.0.1", port), timeout=ASK_WITHIN_S) as connection:
        connection.sendall(request)
        response = http.client.HTTPResponse(connection)
        try:
            response.begin()
            return _reply(response)
        finally:
            response.close()


def _reply(response: http.client.HTTPResponse) -> Reply:
    return Reply(response.status, response.getheaders(), response.read())
