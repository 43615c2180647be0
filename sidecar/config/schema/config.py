"""The whole file."""

from typing import Annotated, Literal

from pydantic import Field, Tag

from sidecar.config.schema.base import MAPPING, TEXT, Section, forms
from sidecar.config.schema.clusters import Cluster
from sidecar.config.schema.context import Context
from sidecar.config.schema.cookies import Cookies
from sidecar.config.schema.demo import Demo
from sidecar.config.schema.gates import Gate
from sidecar.config.schema.places import Regions, Zones
from sidecar.config.schema.process import Envoy, Listen, Tickets
from sidecar.config.schema.routes import Route
from sidecar.config.schema.store import Store
from sidecar.config.schema.tenants import StrategyForm, Tenant
from sidecar.config.values import Name, SecondsAboveZero


class RouteCache(Section):
    """Which route was found for which facts. It is emptied by every change of the file."""

    entries: Annotated[int, Field(ge=0, le=1_000_000)] = Field(10_000, description="at most; 0 for no cache")
    ttl: SecondsAboveZero = Field("1h", validate_default=True, description="how long an entry counts")
    always: bool = Field(False, description="remember what is found quickly, too")


class Config(Section):
    """The whole file."""

    listen: Listen = Field(Listen(), description="where the sidecar listens")
    envoy: Envoy = Field(Envoy(), description="Envoy's side, for `sidecar envoy` and `sidecar demo`")
    on_error: str = Field("refuse", description="refuse, or the cluster to use when the sidecar itself fails")
    tickets: Tickets = Field(Tickets(), description="decisions whose outcome is awaited")
    clusters: dict[Name, Cluster] = Field({}, description="where requests can go")
    context: Context = Field(Context(), description="where facts about a request come from")
    cookies: Cookies = Field(Cookies(), description="what cookies of the sidecar's own are signed with")
    models: dict[str, str] = Field(
        {}, description="other names of models: alias to model, in chains if need be"
    )
    tenants: dict[str, Tenant] = Field({}, description="what counts for the requests of each tenant")
    strategies: dict[Name, StrategyForm] = Field(
        {}, description="strategies by words that tenants and requests may choose"
    )
    flags: dict[str, bool] = Field({}, description="flags that are on or off where a request does not say")
    gates: list[Gate] = Field([], description="who gets in at all, asked before any route; the first refuses")
    route_cache: RouteCache = Field(RouteCache(), description="which route was found for what")
    regions: Regions = Field(Regions(), description="the order of regions, and where they are")
    zones: Zones = Field(Zones(), description="what zones can take")
    routes: list[Route] = Field([], description="which request goes where")
    store: Annotated[
        Annotated[Literal["memory"], Tag(TEXT)] | Annotated[Store, Tag(MAPPING)],
        forms("memory, or {sqlite: FILE}"),
    ] = Field("memory", description="where what is learnt is kept over a restart; memory for nowhere")
    demo: Demo = Field(Demo(), description="requests that show what the file does")
