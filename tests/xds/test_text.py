"""YAML that people can read and that Envoy reads as the same message."""

import pytest
import yaml
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.base_pb2 import HeaderValue, Node
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct

from sidecar.xds.bootstrap import bootstrap
from sidecar.xds.text import to_yaml
from tests.xds.running import a_config


def test_begins_with_the_header_as_a_comment() -> None:
    text = to_yaml(HeaderValue(key="k", value="v"), header="Written by hand.\n\nTwice.")

    assert text == "# Written by hand.\n#\n# Twice.\nkey: k\nvalue: v\n"


def test_the_name_stands_first_then_what_is_short_then_what_is_nested() -> None:
    made = Cluster(connect_timeout=Duration(seconds=1), name="users", type=Cluster.STATIC)
    made.load_assignment.cluster_name = "users"

    assert list(yaml.safe_load(to_yaml(made))) == ["name", "connect_timeout", "type", "load_assignment"]


def test_the_type_of_what_is_packed_stands_first() -> None:
    box = Any()
    box.Pack(Node(id="n", cluster="c"))

    assert next(iter(yaml.safe_load(to_yaml(box)))) == "@type"


def test_the_order_of_maps_does_not_change_from_one_process_to_the_next() -> None:
    made = Struct()
    made.update({f"k{n}": n for n in range(100)})

    assert list(yaml.safe_load(to_yaml(made))) == sorted(f"k{n}" for n in range(100))


def test_lists_are_indented() -> None:
    made = Cluster(name="c")
    made.load_assignment.endpoints.add().priority = 1

    assert "\n  endpoints:\n    - priority: 1\n" in to_yaml(made)


@pytest.mark.parametrize(
    "text", ["y", "N", "yes", "on", "null", "1e5", "0x1f", "0o17", "010", "1.5", "nan", "1_0"]
)
def test_text_that_looks_like_something_else_is_quoted(text: str) -> None:
    value = to_yaml(HeaderValue(value=text)).removeprefix("value: ").strip()

    assert value in {f'"{text}"', f"'{text}'"}


def test_long_text_stays_on_its_line() -> None:
    words = "many words " * 50

    assert len(to_yaml(HeaderValue(value=words)).splitlines()) == 1


def test_a_bootstrap_reads_back_as_the_same_message() -> None:
    routes = [{"name": "r", "to": "users", "headers": {"response": {"set": {"n": "1e5", "x-text": "ü: #"}}}}]
    made = bootstrap(a_config(routes=routes))

    assert ParseDict(yaml.safe_load(to_yaml(made)), type(made)()) == made
