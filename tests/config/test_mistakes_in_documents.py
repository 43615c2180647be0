"""What is said of a file that is no readable YAML."""

import pytest

from sidecar.config.errors import ConfigError
from tests.config.files import CLUSTERS, ROUTES, loaded

MISTAKES = [
    pytest.param(
        "",
        "gateway.yaml:1: the file is empty; give at least one cluster and one route",
        id="the file is empty",
    ),
    pytest.param(
        "# nothing\n",
        "gateway.yaml:1: the file is empty; give at least one cluster and one route",
        id="the file has only comments",
    ),
    pytest.param(
        "- a\n",
        "gateway.yaml:1: the file must be a mapping, got a list; begin with clusters: and routes:",
        id="the top is no mapping",
    ),
    pytest.param(
        "clusters: {shop: {}}\nroutes: [\n",
        "gateway.yaml:3: not valid YAML: while parsing a flow node, did not find expected node content",
        id="the YAML is broken",
    ),
    pytest.param(
        "clusters:\n\tshop: {}\n",
        "gateway.yaml:2: not valid YAML: while scanning for the next token, found character "
        "that cannot start any token",
        id="a tab indents",
    ),
    pytest.param(
        CLUSTERS + CLUSTERS + ROUTES,
        "gateway.yaml:2: clusters: this key is here twice; keep one of them",
        id="a key is there twice",
    ),
    pytest.param(
        CLUSTERS + ROUTES + "---\n" + CLUSTERS,
        "gateway.yaml:3: begins a second document; keep one document in a file",
        id="a second document follows",
    ),
    pytest.param(
        CLUSTERS + "routes: [{name: !secret r, to: shop}]\n",
        'gateway.yaml:2: routes[0].name: unknown tag "!secret"; remove it',
        id="a tag is unknown",
    ),
    pytest.param(
        CLUSTERS + "routes: [{name: r, to: shop, priority: !!int high}]\n",
        'gateway.yaml:2: routes[0].priority: "high" is not what its tag !!int says; remove the tag',
        id="a tag contradicts its value",
    ),
    pytest.param(
        CLUSTERS + "routes: [{<<: {a: b}, name: r, to: shop}]\n",
        "gateway.yaml:2: routes[0].<<: merge keys are not supported; repeat the keys, or alias "
        "the whole value",
        id="a merge key is used",
    ),
    pytest.param(
        CLUSTERS + "routes: [{name: r, to: *nowhere}]\n",
        "gateway.yaml:2: routes[0].to: the alias *nowhere has no anchor &nowhere before it",
        id="an alias has no anchor",
    ),
    pytest.param(
        CLUSTERS + "? [a]\n: b\n",
        "gateway.yaml:2: a key must be plain text",
        id="a key is a list",
    ),
    pytest.param(
        CLUSTERS + "routes: [{name: r, to: shop, priority: %s}]\n" % ("1" * 101),
        "gateway.yaml:2: routes[0].priority: a number of more than 100 digits; put it in "
        "quotes if it is text",
        id="a number has too many digits",
    ),
    pytest.param(
        "a: " + "[" * 200,
        "gateway.yaml:1: is nested more than 128 deep",
        id="it is nested too deep",
    ),
    pytest.param(
        "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
        + "".join(
            f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(8)
        ),
        "gateway.yaml:7: g[0]: the alias *f makes more than 2000000 values or 128 levels; "
        "repeat less with aliases",
        id="aliases multiply",
    ),
    pytest.param(
        CLUSTERS + "routes: [{name: r\x07}]\n",
        "gateway.yaml:2: not valid YAML: the character U+0007 may not stand in it; remove it, "
        'or escape it in double quotes as "\\x.."',
        id="a control character is in it",
    ),
    pytest.param(
        CLUSTERS + "routes: [{name: \udcff}]\n",
        "gateway.yaml:2: holds a lone surrogate, which is no text",
        id="a surrogate is in it",
    ),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_says_in_one_line_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(text)

    assert str(refused.value) == said
