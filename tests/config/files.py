"""Small configuration files, as text."""

from sidecar.config.load import Loaded, loads

CLUSTERS = "clusters: {shop: {}}\n"
ROUTES = "routes: [{name: r, to: shop}]\n"
TWO_CLUSTERS = """\
clusters:
  shop:
    endpoints:
      - {address: '10.0.0.1:80', id: v1, version: one, tags: [gpu]}
      - {address: '10.0.0.2:80', id: v2, weight: 0}
  other:
    endpoints:
      - {address: '10.0.1.1:80', id: v1}
"""


def a_file(*routes: str, clusters: str = CLUSTERS) -> str:
    """The clusters, then one route on each line."""
    return clusters + "routes:\n" + "".join(f"  - {route}\n" for route in routes)


def a_route(rest: str, clusters: str = CLUSTERS) -> str:
    """A file of one route, which begins in the line after the clusters and `routes:`."""
    return a_file(f"{{name: r, {rest}}}", clusters=clusters)


def a_match(match: str) -> str:
    return a_route(f"to: shop, match: {match}")


def loaded(text: str) -> Loaded:
    return loads(text, "gateway.yaml", generation=1)
