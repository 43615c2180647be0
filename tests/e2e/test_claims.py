"""Facts from a token that Envoy has verified: its claims decide, and nobody can make them up."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from typing import Final

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from sidecar.v1 import route_pb2
from tests.e2e.gateway import Gateway, running_gateway

pytestmark = pytest.mark.e2e
TRANSPORTS = ("grpc",)

_KEY: Final = b"a key that only the issuer knows: 32 bytes at least"
_ISSUER: Final = "https://login.test"
_CONFIG: Final = """\
listen: {grpc: $grpc, admin: $admin}
envoy:
  listen: $envoy
  admin: null
  message_timeout: 1s
  jwt: {issuer: "https://login.test", audiences: [shop], jwks_file: JWKS_FILE}
clusters:
  one: {endpoints: [{address: $one}]}
context:
  tier: [{claim: tier}, {header: x-user-tier}]
  tenant: [{claim: org.id}]
  user: [{claim: "https://shop.test/user"}]
  segment: [{claim: groups}]
  region: [{metadata: {namespace: envoy.filters.http.jwt_authn, path: claims.region}}]
routes:
  - {name: premium, match: {tier: [premium]}, to: one, headers: {request: {set: {x-route: premium}}}}
  - {name: acme, match: {tenant: ["7"]}, to: one, headers: {request: {set: {x-route: acme}}}}
  - {name: ann, match: {user: [ann]}, to: one, headers: {request: {set: {x-route: ann}}}}
  - {name: beta, match: {segment: [beta]}, to: one, headers: {request: {set: {x-route: beta}}}}
  - {name: west, match: {region: [west]}, to: one, headers: {request: {set: {x-route: west}}}}
  - {name: other, match: {}, to: one, headers: {request: {set: {x-route: other}}}}
"""


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _token(claims: Mapping[str, object], key: bytes = _KEY) -> str:
    head = _encoded(json.dumps({"alg": "HS256", "typ": "JWT", "kid": "k"}).encode())
    told = {"iss": _ISSUER, "aud": "shop", "exp": 4_000_000_000, **claims}
    signed = f"{head}.{_encoded(json.dumps(told).encode())}"
    return f"{signed}.{_encoded(hmac.digest(key, signed.encode(), hashlib.sha256))}"


@pytest.fixture(scope="module")
def asked(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("claims")
    keys = folder / "jwks.json"
    keys.write_text(json.dumps({"keys": [{"kty": "oct", "alg": "HS256", "kid": "k", "k": _encoded(_KEY)}]}))
    with running_gateway(_CONFIG.replace("JWKS_FILE", str(keys)), folder, transport) as gateway:
        yield gateway


def _route(gateway: Gateway, token: str, **headers: str) -> str:
    reply = gateway.ask("/", {"authorization": f"Bearer {token}"} | headers)
    assert reply.status == 200, reply.body
    return reply.arrived("x-route")[0]


CLAIMS: Final[list[tuple[dict[str, object], str]]] = [
    ({"tier": "premium"}, "premium"),
    ({"tier": "free"}, "other"),
    ({"org": {"id": 7}}, "acme"),
    ({"org": {"id": "7"}}, "acme"),
    ({"org.id": 7}, "acme"),
    ({"org": 7}, "other"),
    ({"https://shop.test/user": "ann"}, "ann"),
    ({"groups": ["beta", "staff"]}, "beta"),
    ({"groups": [None, "beta"]}, "beta"),
    ({"groups": []}, "other"),
    ({"tier": None}, "other"),
    ({"region": "west"}, "west"),
]


@pytest.mark.parametrize(("claims", "route"), CLAIMS)
def test_a_verified_claim_is_a_fact(asked: Gateway, claims: Mapping[str, object], route: str) -> None:
    """M10"""
    assert _route(asked, _token(claims)) == route


@pytest.mark.parametrize(("claims", "route"), CLAIMS)
def test_callers_of_route_service_tell_claims_themselves(
    asked: Gateway, claims: Mapping[str, object], route: str
) -> None:
    """M10 V2"""
    struct = json_format.ParseDict({"claims": claims}, Struct())
    message = route_pb2.RouteRequest(path="/", metadata={"envoy.filters.http.jwt_authn": struct})
    with grpc.insecure_channel(asked.grpc) as channel:
        call = channel.unary_unary(
            "/sidecar.v1.RouteService/Route",
            request_serializer=route_pb2.RouteRequest.SerializeToString,
            response_deserializer=route_pb2.RouteResponse.FromString,
        )
        assert call(message, timeout=5.0).decision.route == route


def test_without_a_token_the_next_source_counts(asked: Gateway) -> None:
    """M10"""
    assert asked.ask("/").arrived("x-route") == ["other"]
    assert asked.ask("/", {"x-user-tier": "premium"}).arrived("x-route") == ["premium"]


def test_a_claim_counts_before_a_header_of_the_client(asked: Gateway) -> None:
    """M10 X4"""
    assert _route(asked, _token({"tier": "free"}), **{"x-user-tier": "premium"}) == "other"


_UNSOUND: Final = {
    "another key": (_token({"tier": "premium"}, b"another key that nobody knows: 32 bytes at least"), 401),
    "expired": (_token({"tier": "premium", "exp": 1_000_000_000}), 401),
    "another issuer": (_token({"tier": "premium", "iss": "https://elsewhere.test"}), 401),
    "another audience": (_token({"tier": "premium", "aud": "bank"}), 403),
    "cut short": (_token({"tier": "premium"})[:-4], 401),
    "no token": ("no token", 401),
}


@pytest.mark.parametrize(("token", "status"), _UNSOUND.values(), ids=_UNSOUND)
def test_a_token_that_is_not_sound_is_refused(asked: Gateway, token: str, status: int) -> None:
    """M10 X4"""
    assert asked.ask("/", {"authorization": f"Bearer {token}"}).status == status


@pytest.mark.parametrize("token", ["made-up", _token({"tier": "premium"}), "a.b.c"])
def test_only_the_header_is_read_for_a_token(asked: Gateway, token: str) -> None:
    """M10 X4: a parameter may have the name that tokens often have, and what it holds is none."""
    assert asked.ask(f"/?access_token={token}").arrived("x-route") == ["other"]
