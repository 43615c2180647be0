"""Scenario files that several tests read."""

from typing import Final

from sidecar.config.load import loads
from sidecar.core.plan import Plan
from sidecar.sim.files import Written, loads_scenario

GATEWAY: Final = """\
context: {user: [{header: x-user-id}], model: [{body: model}]}
clusters:
  shop: {endpoints: [{address: '10.0.0.1:80', id: a}, {address: '10.0.0.2:80', id: b}]}
  search: {endpoints: [{address: '10.0.1.1:80', id: only}]}
  chat: {}
routes:
  - {name: search, match: {path: {prefix: /search}}, to: search}
  - {name: chat, match: {path: {prefix: /chat}, model: [gpt]}, to: chat}
  - {name: moved, match: {path: {prefix: /old}}, redirect: {path: /shop}}
  - {name: shop, match: {path: {prefix: /shop}}, to: shop, strategy: round_robin}
"""
SMALL: Final = """\
duration: 10s
rate: 20/s
clients: [{path: /shop}]
servers: {default: {takes: 50ms}}
"""


def a_gateway(text: str = GATEWAY) -> Plan:
    return loads(text, "gateway.yaml", 1).plan


def read_scenario(text: str, gateway: str = GATEWAY) -> Written:
    return loads_scenario(text, "scenario.yaml", a_gateway(gateway))
