"""The shape of the user's file. Unknown keys are errors; everything has a default.

Only the shape: what needs two places to judge (a route to a cluster that is not there) is `compile`'s.
"""

from sidecar.config.schema.base import Section
from sidecar.config.schema.clusters import Cluster, Connections, Endpoint
from sidecar.config.schema.config import Config, RouteCache
from sidecar.config.schema.context import ClientIp, Context, Metadata, Source
from sidecar.config.schema.demo import Ask, Count, Demo, Expect, SlowerThan
from sidecar.config.schema.gates import CountryGate, Gate, IpGate, RequireGate, UploadGate
from sidecar.config.schema.match import Match, Path, Text
from sidecar.config.schema.process import Envoy, Jwt, Listen, Tickets
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
    Target,
    TargetForm,
)

__all__ = [
    "Abort",
    "Arm",
    "Ask",
    "ClientIp",
    "Cluster",
    "Config",
    "Connections",
    "Context",
    "Count",
    "CountryGate",
    "Delay",
    "Demo",
    "Endpoint",
    "Envoy",
    "Expect",
    "Fault",
    "Gate",
    "HeaderEdits",
    "Headers",
    "IpGate",
    "Jwt",
    "Listen",
    "Match",
    "Metadata",
    "Mirror",
    "Path",
    "Redirect",
    "Reject",
    "Replace",
    "RequireGate",
    "Respond",
    "Rewrite",
    "Route",
    "RouteCache",
    "Section",
    "Set",
    "SlowerThan",
    "Source",
    "Sticky",
    "StickyCookie",
    "StickyHeader",
    "Target",
    "TargetForm",
    "Text",
    "Tickets",
    "UploadGate",
]
