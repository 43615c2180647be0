"""Whatever the file holds, it is loaded or refused with a plain ConfigError."""

import json
import string

from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.config import schema
from sidecar.config.errors import ConfigError
from sidecar.config.load import loads

MODELS = [
    each for each in vars(schema).values() if isinstance(each, type) and issubclass(each, schema.Section)
]
KEYS = sorted({field.alias or name for model in MODELS for name, field in model.model_fields.items()})
VALUES = ["/a", "/a/**", "shop", "30s", "10.0.0.1:80", "random", "*", "(", "GET", "user", "x-a", "*.test"]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(VALUES)
DATA = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=30,
)
FILES = st.fixed_dictionaries({}, optional=dict.fromkeys(schema.Config.model_fields, DATA))
NEAR_FILES: st.SearchStrategy[object] = st.fixed_dictionaries(
    {
        "clusters": st.just({"shop": {}}) | st.dictionaries(st.text(max_size=3), DATA, max_size=2),
        "routes": st.lists(
            st.fixed_dictionaries(
                {"name": st.text(string.ascii_letters, min_size=1, max_size=3)},
                optional={key: DATA for key in schema.Route.model_fields if key != "name"},
            ),
            max_size=3,
        ),
    }
)
YAML_LIKE = st.text("abc:-[]{}&*!|>'\"\n #,?%@`<~01. \t\r\ufeff")


def refusal_of(text: str) -> ConfigError | None:
    try:
        loads(text, "gateway.yaml", generation=1)
    except ConfigError as error:
        return error
    return None


@settings(max_examples=300, deadline=None)
@given(DATA | FILES | NEAR_FILES)
def test_any_data_is_loaded_or_refused_in_plain_words(data: object) -> None:
    refused = refusal_of(json.dumps(data))

    if refused is not None:
        assert refused.problems
        assert len(str(refused).split("\n")) == len(refused.problems)
        assert "Input should" not in str(refused)
        assert not any(problem.message == "is not usable" for problem in refused.problems)


@settings(max_examples=500, deadline=None)
@given(st.text() | YAML_LIKE | st.text(st.characters()).map(lambda text: f"clusters: {text}"))
def test_any_text_is_loaded_or_refused(text: str) -> None:
    refused = refusal_of(text)

    assert refused is None or refused.problems
