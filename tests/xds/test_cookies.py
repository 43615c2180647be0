"""Cookies of the sidecar's own in Envoy's bootstrap; that they arrive is in `tests/e2e/test_sessions.py`."""

from sidecar import names
from sidecar.config import schema
from sidecar.xds.bootstrap import bootstrap
from tests.xds.running import a_config
from tests.xds.test_bootstrap import ext_proc, virtual_host


def routed(*routes: dict[str, object]) -> schema.Config:
    return a_config(routes=[{"name": f"r{at}", "to": "users", **route} for at, route in enumerate(routes)])


def test_envoy_takes_cookies_from_metadata_of_their_own() -> None:
    """S16: beside those of the endpoint, for all routes alike."""
    made = bootstrap(routed({}, {"sticky": {"cookie": "route"}}))

    (added,) = virtual_host(made).response_headers_to_add
    assert (added.header.key, added.header.value) == ("set-cookie", "%DYNAMIC_METADATA(sidecar.cookie:set)%")
    assert added.append_action == added.APPEND_IF_EXISTS_OR_ADD
    assert names.COOKIE_NAMESPACE in ext_proc(made).metadata_options.receiving_namespaces.untyped


def test_one_more_route_with_a_cookie_needs_no_new_envoy() -> None:
    """S16, V4"""
    one = routed({}, {"sticky": {"cookie": "route"}})
    two = routed({"sticky": {"cookie": "other", "timeout": "5s"}}, {"sticky": {"cookie": "route"}})

    assert bootstrap(one) == bootstrap(two)


def test_nothing_is_there_where_no_route_has_a_cookie() -> None:
    """S16"""
    made = bootstrap(routed({"sticky": {"by": "user"}}))

    assert made == bootstrap(routed({}))
    assert list(virtual_host(made).response_headers_to_add) == []
    assert names.COOKIE_NAMESPACE not in ext_proc(made).metadata_options.receiving_namespaces.untyped
