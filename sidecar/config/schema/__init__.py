"""The shape of the user's file. Unknown keys are errors; everything has a default.

Only the shape: what needs two places to judge (a route to a cluster that is not there) is `compile`'s.
"""

from sidecar.config.schema.base import Section
from sidecar.config.schema.cache import Cache, LastGood
from sidecar.config.schema.clusters import (
    UNBOUNDED,
    Capabilities,
    Cluster,
    Connections,
    Dns,
    Endpoint,
    KeepAlive,
    Limits,
    Price,
)
from sidecar.config.schema.config import Config, RouteCache
from sidecar.config.schema.context import ClientIp, Context, Metadata, Source
from sidecar.config.schema.cookies import Cookies
from sidecar.config.schema.demo import Ask, Behaviour, Count, Demo, Expect, Reports, SlowerThan
from sidecar.config.schema.gates import CountryGate, Gate, IpGate, RequireGate, UploadGate
from sidecar.config.schema.health import Breaker, Health, Otherwise, Outliers, Probe, Reading, Score, Scrape
from sidecar.config.schema.match import Match, Path, Text
from sidecar.config.schema.places import CrossZone, Leave, Regions, Zones
from sidecar.config.schema.process import Envoy, Jwt, Listen, Tickets, TokenUsage
from sidecar.config.schema.retries import (
    Backoff,
    Exponential,
    Fibonacci,
    Linear,
    Link,
    LinkForm,
    Retry,
)
from sidecar.config.schema.routes import (
    Abort,
    Arm,
    Delay,
    Fault,
    HeaderEdits,
    Headers,
    Mirror,
    Redirect,
    Reject,
    Replace,
    Respond,
    Rewrite,
    Route,
    Set,
    Sticky,
    StickyCookie,
    StickyHeader,
)
from sidecar.config.schema.store import Store
from sidecar.config.schema.targets import Target, TargetForm
from sidecar.config.schema.tenants import Budget, StrategyForm, Tenant

__all__ = [
    "UNBOUNDED",
    "Abort",
    "Arm",
    "Ask",
    "Backoff",
    "Behaviour",
    "Breaker",
    "Budget",
    "Cache",
    "Capabilities",
    "ClientIp",
    "Cluster",
    "Config",
    "Connections",
    "Context",
    "Cookies",
    "Count",
    "CountryGate",
    "CrossZone",
    "Delay",
    "Demo",
    "Dns",
    "Endpoint",
    "Envoy",
    "Expect",
    "Exponential",
    "Fault",
    "Fibonacci",
    "Gate",
    "HeaderEdits",
    "Headers",
    "Health",
    "IpGate",
    "Jwt",
    "KeepAlive",
    "LastGood",
    "Leave",
    "Limits",
    "Linear",
    "Link",
    "LinkForm",
    "Listen",
    "Match",
    "Metadata",
    "Mirror",
    "Otherwise",
    "Outliers",
    "Path",
    "Price",
    "Probe",
    "Reading",
    "Redirect",
    "Regions",
    "Reject",
    "Replace",
    "Reports",
    "RequireGate",
    "Respond",
    "Retry",
    "Rewrite",
    "Route",
    "RouteCache",
    "Score",
    "Scrape",
    "Section",
    "Set",
    "SlowerThan",
    "Source",
    "Sticky",
    "StickyCookie",
    "StickyHeader",
    "Store",
    "StrategyForm",
    "Target",
    "TargetForm",
    "Tenant",
    "Text",
    "Tickets",
    "TokenUsage",
    "UploadGate",
    "Zones",
]
