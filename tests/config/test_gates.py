"""What `gates` become, and whom they refuse."""

from hashlib import sha256
from random import Random

from sidecar.core.engine import Engine
from sidecar.core.gates import Gate
from sidecar.core.refusal import Refusal
from sidecar.core.request import Request, headers_of
from sidecar.core.state.memory import State
from tests.config.files import CLUSTERS, ROUTES, loaded

KEY = sha256(b"secret").hexdigest()


def an_engine(gates: str, more: str = "") -> Engine:
    plan = loaded(f"gates:\n{gates}\n{more}{CLUSTERS}{ROUTES}").plan
    return Engine(plan, State(), Random(1))


def refused(
    engine: Engine, path: str = "/", *, method: str = "GET", ends: bool = False, **headers: str
) -> tuple[str, int, str] | None:
    """The gate, status and reason of the refusal."""
    raw = headers_of((name.replace("_", "-"), value.encode()) for name, value in headers.items())
    answer = engine.decide(Request(method, "shop.test", path, raw, ends=ends), 0.0)
    return (answer.gate, answer.status, answer.reason.value) if isinstance(answer, Refusal) else None


def the_texts(gates: str) -> list[str]:
    return [f"{gate.name}: {gate.refuses.text()}" for gate in gates_of(an_engine(gates))]


def gates_of(engine: Engine) -> tuple[Gate, ...]:
    return () if engine.plan.gates is None else engine.plan.gates.gates


def test_addresses_are_allowed_by_path() -> None:
    """X1"""
    engine = an_engine("  - ip: {paths: [/admin/**, /metrics], allow: [192.168.1.0/24, 10.0.0.0/8]}")
    no = ("ip-1", 403, "address_not_allowed")

    assert refused(engine, "/admin/users", x_forwarded_for="203.0.113.9") == no
    assert refused(engine, "/admin", x_forwarded_for="203.0.113.9") == no
    assert refused(engine, "/metrics", x_forwarded_for="203.0.113.9") == no
    assert refused(engine, "/admin/users", x_forwarded_for="10.9.9.9") is None
    assert refused(engine, "/administration", x_forwarded_for="203.0.113.9") is None


def test_an_unknown_address_is_not_allowed_and_not_blocked() -> None:
    """X1"""
    engine = an_engine("  - ip: {paths: [/admin], allow: [0.0.0.0/0, '::/0']}\n  - ip: {block: [10.0.0.0/8]}")

    assert refused(engine, "/admin") == ("ip-1", 403, "address_not_allowed")
    assert refused(engine, "/admin", x_forwarded_for="unknown") == ("ip-1", 403, "address_not_allowed")
    assert refused(engine, "/") is None


def test_addresses_are_blocked() -> None:
    """X1: with the status that the gate has, and also where they are allowed."""
    engine = an_engine("  - {name: bad, ip: {allow: [10.0.0.0/8], block: [10.1.0.0/16], status: 404}}")

    assert refused(engine, x_forwarded_for="10.1.2.3") == ("bad", 404, "address_not_allowed")
    assert refused(engine, x_forwarded_for="10.2.2.3") is None
    assert refused(engine, x_forwarded_for="11.1.2.3") == ("bad", 404, "address_not_allowed")


def test_an_address_beyond_the_trusted_hops_is_not_believed() -> None:
    """X1"""
    engine = an_engine("  - ip: {allow: [10.0.0.0/8]}", "context: {client_ip: {trusted_hops: 1}}\n")

    assert refused(engine, x_forwarded_for="10.0.0.1, 203.0.113.9, 198.51.100.1") is not None
    assert refused(engine, x_forwarded_for="203.0.113.9, 10.0.0.1, 198.51.100.1") is None


def test_countries_are_allowed_and_blocked() -> None:
    """X2: small letters are the same, and no country is not allowed."""
    allow = an_engine("  - country: {allow: [us, DE], block: [DE], paths: [/shop/**]}")
    block = an_engine("  - country: {block: [XX], status: 451}")

    assert refused(allow, "/shop", cf_ipcountry="US") is None
    assert refused(allow, "/shop", cf_ipcountry="de") == ("country-1", 403, "country_not_allowed")
    assert refused(allow, "/shop") == ("country-1", 403, "country_not_allowed")
    assert refused(allow, "/") is None
    assert refused(block, cf_ipcountry="xx") == ("country-1", 451, "country_not_allowed")
    assert refused(block) is None


def test_an_overridden_gate_lets_everybody_pass_and_is_noted() -> None:
    """X2"""
    text = "gates: [{country: {allow: [US], override: true}}]\n" + CLUSTERS + ROUTES

    assert refused(an_engine("  - country: {allow: [US], override: true}"), cf_ipcountry="FR") is None
    assert loaded(text).notes == [
        "gateway.yaml:1: gates[0].country.override: the gate country-1 lets everybody pass"
    ]


def test_a_header_is_required() -> None:
    """X3"""
    engine = an_engine("  - require: {header: Authorization, status: 401, paths: [/api/**]}")

    assert refused(engine, "/api/x") == ("require-1", 401, "header_required")
    assert refused(engine, "/api/x", authorization="") == ("require-1", 401, "header_required")
    assert refused(engine, "/api/x", authorization="Bearer x") is None
    assert refused(engine, "/") is None


def test_a_key_is_known_by_its_sum_in_any_letters() -> None:
    """X3"""
    engine = an_engine(f"  - require: {{header: x-api-key, sha256: [{KEY.upper()}]}}")

    assert refused(engine, x_api_key="secret") is None
    assert refused(engine, x_api_key="other") == ("require-1", 403, "header_required")
    assert refused(engine) == ("require-1", 403, "header_required")


def test_uploads_have_a_size_and_types() -> None:
    """Q4: the size is asked first."""
    engine = an_engine("  - upload: {path: /upload/**, max_size: 1KB, types: [image/*, audio/mpeg]}")

    assert refused(engine, "/upload", content_length="1024", content_type="image/png") is None
    assert refused(engine, "/upload", content_length="1025", content_type="image/png") == (
        "upload-1",
        413,
        "too_large",
    )
    assert refused(engine, "/upload", content_length="9" * 30, content_type="image/png") == (
        "upload-1",
        413,
        "too_large",
    )
    assert refused(engine, "/upload", content_length="9999", content_type="text/plain") == (
        "upload-1",
        413,
        "too_large",
    )
    assert refused(engine, "/upload", content_length="9", content_type="text/plain") == (
        "upload-1",
        415,
        "type_not_allowed",
    )
    assert refused(engine, "/upload", content_length="9") == ("upload-1", 415, "type_not_allowed")
    assert refused(engine, "/upload", ends=True) is None
    assert refused(engine, "/other", content_length="9999") is None


def test_the_first_gate_that_refuses_counts() -> None:
    """X1 X3"""
    engine = an_engine(
        "  - {name: first, require: {header: x-a, status: 401}}\n"
        "  - {name: second, ip: {block: [10.0.0.0/8]}}\n"
        "  - {name: third, require: {header: x-b}}"
    )

    assert refused(engine, x_forwarded_for="10.0.0.1") == ("first", 401, "header_required")
    assert refused(engine, x_a="1", x_forwarded_for="10.0.0.1") == ("second", 403, "address_not_allowed")
    assert refused(engine, x_a="1") == ("third", 403, "header_required")
    assert refused(engine, x_a="1", x_b="1") is None


def test_a_gate_without_a_name_has_its_kind_and_place() -> None:
    gates = """\
  - ip: {block: [10.0.0.0/8]}
  - country: {block: [XX]}
  - {name: mine, require: {header: x-a}}
  - upload: {path: /upload, max_size: 1KB, types: [image/*]}"""

    assert the_texts(gates) == [
        "ip-1: (client_ip is in 10.0.0.0/8)",
        'country-2: (country is "XX")',
        "mine: (not header x-a is given)",
        'upload-4: (path is "/upload" and body has at least 1025 bytes)',
        'upload-4: (path is "/upload" and not content type is image/*)',
    ]


def test_two_lists_and_two_paths_are_alternatives() -> None:
    (text,) = the_texts("  - ip: {paths: [/a, /b], allow: [10.0.0.0/8], block: [10.1.0.0/16]}")

    assert text == (
        'ip-1: ((path is "/a" or path is "/b") and '
        "(not client_ip is in 10.0.0.0/8 or client_ip is in 10.1.0.0/16))"
    )
