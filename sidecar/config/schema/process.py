"""How the sidecar and the Envoy beside it run: where they listen, and how they talk."""

from typing import Annotated, Literal

from pydantic import Field, Tag

from sidecar.config.schema.base import LIST, TEXT, Section, forms
from sidecar.config.values import ByteCount, HeaderName, HostPort, Listener, Seconds, SecondsAboveZero


class Listen(Section):
    """Where the sidecar listens."""

    grpc: Annotated[
        Annotated[Listener, Tag(TEXT)] | Annotated[list[Listener], Tag(LIST)],
        forms("an address such as 127.0.0.1:50051, or a list of them"),
    ] = Field("127.0.0.1:50051", description="ext_proc, access logs, RouteService, health, reflection")
    admin: HostPort | None = Field(
        "127.0.0.1:9900", description="metrics and health over HTTP; null for none"
    )
    drain: Seconds = Field(
        "10s", validate_default=True, description="time for requests in flight at shutdown"
    )
    transport: Literal["grpc", "envoy"] = Field(
        "grpc",
        description="gRPC's own server, or an Envoy around the sidecar: faster, needs the extra `fast`",
    )


class Jwt(Section):
    """Tokens that Envoy verifies, so that their claims can be facts."""

    issuer: str = Field(description="who issues the tokens: their claim `iss`")
    audiences: list[str] = Field([], description="one of them must be in the claim `aud`; none for any")
    jwks_file: str = Field(description="the keys as a JSON Web Key Set, in a file that Envoy reads")


class TokenUsage(Section):
    """Where endpoints tell how many tokens a request took, question and answer together."""

    header: HeaderName = Field(description="the response header with the number")


class Envoy(Section):
    """What `sidecar envoy` and `sidecar demo` write into Envoy's bootstrap."""

    listen: HostPort = Field("0.0.0.0:10000", description="where Envoy takes requests")
    admin: HostPort | None = Field("127.0.0.1:9901", description="Envoy's own admin page; null for none")
    feedback: Literal["access_log", "response"] = Field(
        "access_log",
        description="how outcomes come back: batched access log, or a message with each response",
    )
    endpoint_picker: bool = Field(
        False, description="the sidecar picks endpoints for a gateway, by its endpoint-picker protocol"
    )
    load_reports: bool = Field(
        True, description="read what endpoints say of their load in headers, and let no client see it"
    )
    tokens: TokenUsage | None = Field(
        None, description="where endpoints tell tokens, which then replace the estimate"
    )
    message_timeout: SecondsAboveZero = Field(
        "200ms", validate_default=True, description="how long Envoy waits for one answer of the sidecar"
    )
    body_limit: ByteCount = Field(
        "1MB", validate_default=True, description="of bodies that conditions look into; larger ones get 413"
    )
    jwt: Jwt | None = Field(None, description="tokens in `authorization` that Envoy verifies")

    @property
    def shows_responses(self) -> bool:
        """Whether the sidecar gets a message with the headers of each response."""
        return self.feedback == "response" or self.endpoint_picker


class Tickets(Section):
    """Decisions whose outcome is awaited."""

    lease: SecondsAboveZero = Field(
        "5m", validate_default=True, description="after this the outcome counts as lost"
    )
    most: Annotated[int, Field(ge=100, le=10_000_000)] = Field(
        200_000, description="open at once; above it the oldest are given up"
    )
