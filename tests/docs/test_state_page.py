"""docs/state.md lists what is kept over a restart, kind by kind."""

from sidecar.core.state.memory import State
from tests.docs.pages import ROOT, codes, rows


def test_each_kind_that_is_kept_is_listed() -> None:
    """H2 H3 H4 H5: one that is not kept any more would be missed by nobody but a restart."""
    listed = [
        codes(cells[0])[0] for cells in rows((ROOT / "docs/state.md").read_text("utf-8")) if len(cells) == 4
    ]

    assert sorted(State().keepers) == sorted(listed)
