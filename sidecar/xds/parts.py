"""The small pieces that Envoy's messages are made of: durations, addresses, extensions."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from envoy.config.core.v3.address_pb2 import Address, Pipe, SocketAddress
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import UInt32Value

UNIX: Final = "unix:"


def number(value: int) -> UInt32Value:
    """For the fields of Envoy that tell 0 from absent."""
    return UInt32Value(value=value)


def duration(seconds: float) -> Duration:
    """Exact to the microsecond."""
    whole, micros = divmod(round(seconds * 1_000_000), 1_000_000)
    return Duration(seconds=whole, nanos=micros * 1000)


def packed(message: Message) -> Any:
    box = Any()
    box.Pack(message, deterministic=True)
    return box


def extension(name: str, message: Message) -> TypedExtensionConfig:
    return TypedExtensionConfig(name=name, typed_config=packed(message))


def host_and_port(address: str) -> tuple[str, int]:
    """The parts of `host:port`; an IPv6 host comes without its brackets."""
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def ip_of(host: str) -> IPv4Address | IPv6Address | None:
    """None for a name, which Envoy has to resolve."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def remote(address: str) -> Address:
    """Where Envoy connects to: `host:port` or `unix:/path`."""
    if address.startswith(UNIX):
        return Address(pipe=Pipe(path=address.removeprefix(UNIX)))
    host, port = host_and_port(address)
    return Address(socket_address=SocketAddress(address=host, port_value=port))


def local(address: str, where: str) -> Address:
    """Where Envoy listens; `where` is the key of the file. ValueError for a name other than localhost."""
    host, port = host_and_port(address)
    if host == "localhost":
        host = "127.0.0.1"
    ip = ip_of(host)
    if ip is None:
        raise ValueError(f"{where} must be an IP address and a port, such as 0.0.0.0:{port}, got {address}")
    every = ip.version == 6 and ip.is_unspecified  # then clients may come over IPv4 as well
    return Address(socket_address=SocketAddress(address=host, port_value=port, ipv4_compat=every))
