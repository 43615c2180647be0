"""Facts about a request, and where it carries them."""

from typing import Annotated

from pydantic import Field

from sidecar.config.schema.base import Section
from sidecar.config.values import HeaderName


class Metadata(Section):
    """Dynamic metadata of Envoy, set by a filter before the sidecar is asked."""

    namespace: str = Field(description="the filter's namespace, such as envoy.filters.http.jwt_authn")
    path: str = Field(description="the keys within it, with dots between")


class Source(Section):
    """Where a fact may stand; exactly one of them."""

    header: HeaderName | None = Field(None, description="the header's name")
    cookie: str | None = Field(None, description="the cookie's name")
    query: str | None = Field(None, description="the query parameter's name")
    path: str | None = Field(None, description="a regex with one group, which is the value")
    body: str | None = Field(None, description="a field of a JSON body by its dotted path")
    claim: str | None = Field(
        None, description="a claim of the token that Envoy verified, by its dotted path"
    )
    metadata: Metadata | None = Field(None, description="what a filter of Envoy has said of the request")
    geoip: str | None = Field(None, description="a MaxMind database of countries, for the client's address")


class ClientIp(Section):
    """The client's address, by the header x-forwarded-for that Envoy writes."""

    trusted_hops: Annotated[int, Field(ge=0, le=16)] = Field(
        0, description="proxies before Envoy whose x-forwarded-for is believed"
    )


class Context(Section):
    """Where facts about a request come from; the first source that is there wins."""

    session: list[Source] = Field(
        [Source(cookie="sid"), Source(header="x-session-id")], description="what names the session"
    )
    user: list[Source] = Field([Source(header="x-user-id")], description="what names the user")
    tenant: list[Source] = Field([Source(header="x-tenant-id")], description="what names the tenant")
    organization: list[Source] = Field(
        [Source(header="x-organization-id")], description="what names the organization"
    )
    tier: list[Source] = Field([Source(header="x-user-tier")], description="such as free or premium")
    segment: list[Source] = Field([Source(header="x-segment")], description="such as beta_testers")
    priority: list[Source] = Field(
        [Source(header="x-priority")], description="low, normal, high or critical; anything else is normal"
    )
    region: list[Source] = Field([Source(header="x-region")], description="where the client is")
    country: list[Source] = Field(
        [Source(header="cf-ipcountry")], description="two letters, in capitals or not"
    )
    model: list[Source] = Field([Source(header="x-ai-model")], description="the model that is asked for")
    flag: list[Source] = Field(
        [Source(header="x-feature-flag")], description="what switches flags: name=true, name=false, a list"
    )
    zone: list[Source] = Field([], description="the zone that the request comes from")
    prompt: list[Source] = Field([], description="the prompt; four characters are taken for a token")
    input_tokens: list[Source] = Field([], description="tokens of the request, where somebody counted them")
    max_tokens: list[Source] = Field([], description="how many tokens the answer may have")
    capabilities: list[Source] = Field(
        [], description="what the request needs: streaming, function_calling, vision; with commas between"
    )
    exclude: list[Source] = Field(
        [], description="endpoints that it must not get, by id, cluster or address; with commas between"
    )
    prefer: list[Source] = Field([], description="endpoints that it would rather get, the first most of all")
    strategy: list[Source] = Field([], description="a word of `strategies`, to pick the endpoint by")
    max_price: list[Source] = Field([], description="what it may cost, in US dollars such as 0.05")
    latency_target: list[Source] = Field(
        [], description="how soon it wants its answer: 200ms, 1.5s, or milliseconds"
    )
    deadline: list[Source] = Field([], description="after how long an answer is of no use to it, written so")
    client_ip: ClientIp = Field(ClientIp(), description="how the client's address is found")
