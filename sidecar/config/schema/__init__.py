"""The shape of the user's file. Unknown keys are errors; everything has a default.

Only the shape: what needs two places to judge (a route to a cluster that is not there) is `compile`'s.
"""

from sidecar.config.schema.base import Section
from sidecar.config.schema.clusters import Capabilities, Cluster, Connections, Endpoint, Limits, Price
from sidecar.config.schema.config import Config, RouteCache
from sidecar.config.schema.context import ClientIp, Context, Metadata, Source
from sidecar.config.schema.cookies import Cookies
from sidecar.config.schema.demo import Ask, Behaviour, Count, Demo, Expect, Reports, SlowerThan
from sidecar.config.schema.gates import CountryGate, Gate, IpGate, RequireGate, UploadGate
from sidecar.config.schema.health import Breaker, Health, Outliers, Probe, Score
from sidecar.config.schema.match import Match, Path, Text
from sidecar.config.schema.places import CrossZone, Regions, Zones
from sidecar.config.schema.process import Envoy, Jwt, Listen, Tickets
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
from sidecar.config.schema.targets import Target, TargetForm
from sidecar.config.schema.tenants import Budget, StrategyForm, Tenant

__all__ = [
    "Abort",
    "Arm",
    "Ask",
    "Backoff",
    "Behaviour",
    "Breaker",
    "Budget",
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
    "Limits",
    "Linear",
    "Link",
    "LinkForm",
    "Listen",
    "Match",
    "Metadata",
    "Mirror",
    "Outliers",
    "Path",
    "Price",
    "Probe",
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
    "Section",
    "Set",
    "SlowerThan",
    "Source",
    "Sticky",
    "StickyCookie",
    "StickyHeader",
    "StrategyForm",
    "Target",
    "TargetForm",
    "Tenant",
    "Text",
    "Tickets",
    "UploadGate",
    "Zones",
]
