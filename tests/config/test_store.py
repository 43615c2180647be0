"""Where what is learnt is kept: nowhere but in memory, or in a file."""

import os
from pathlib import Path

import pytest

from sidecar.config import schema
from sidecar.config.errors import ConfigError
from sidecar.config.load import loads
from sidecar.config.store import store_path
from tests.running.sidecar import run

REST = """
clusters: {shop: {endpoints: [{address: '10.0.0.1:80'}]}}
routes: [{name: shop, to: shop}]
"""


def config(line: str) -> schema.Config:
    return loads(line + REST, "gateway.yaml", 1).config


def problems(line: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        config(line)
    return str(error.value).splitlines()


def test_nothing_is_kept_unless_the_file_says_where() -> None:
    assert config("").store == "memory"
    assert config("store: memory").store == "memory"
    assert store_path(config("store: memory"), Path("/etc")) is None


def test_a_file_is_looked_for_from_the_folder_of_the_configuration() -> None:
    store = config("store: {sqlite: state.db}").store
    assert isinstance(store, schema.Store)
    assert (store.sqlite, store.every, store.keep) == ("state.db", 5.0, 7 * 86_400.0)

    relative, absolute = config("store: {sqlite: state.db}"), config("store: {sqlite: /var/lib/s.db}")

    assert store_path(relative, Path("/etc/sidecar")) == Path("/etc/sidecar/state.db")
    assert store_path(absolute, Path("/etc/sidecar")) == Path("/var/lib/s.db")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "store: {redis: 'redis://127.0.0.1:6379/0'}",
            "store: redis is not there yet; write memory, or {sqlite: FILE}",
        ),
        ("store: disk", 'store: must be memory, or {sqlite: FILE}, got "disk"'),
        ("store: redis", 'store: must be memory, or {sqlite: FILE}, got "redis"'),
        ("store: 5", "store: must be memory, or {sqlite: FILE}, got 5"),
        ("store:", "store: must be memory, or {sqlite: FILE}, got nothing"),
        ("store: [memory]", "store: must be memory, or {sqlite: FILE}, got a list"),
        ("store: {}", "store.sqlite: is missing"),
        ("store: {every: 1s}", "store.sqlite: is missing"),
        ("store: {sqlite: 5}", "store.sqlite: must be text, got 5; put it in quotes"),
        ("store: {sqlite: ''}", "store.sqlite: must not be empty; name a file, such as state.db"),
        (
            "store: {sqlite: ':memory:'}",
            (
                'store.sqlite: ":memory:" is no file; write `store: memory`, which keeps nothing over a '
                "restart, or name a file"
            ),
        ),
        (
            "store: {sqlite: 'file:x?mode=memory'}",
            (
                'store.sqlite: "file:x?mode=memory" is no file; write `store: memory`, which keeps nothing '
                "over a restart, or name a file"
            ),
        ),
        ("store: {sqlit: state.db}", "store.sqlit: unknown key; did you mean sqlite?"),
        ("store: {sqlite: a, every: 0s}", "store.every: must be longer than 0, got 0s"),
        ("store: {sqlite: a, every: 99ms}", "store.every: must be at least 100ms; each save writes a disk"),
        (
            "store: {sqlite: a, keep: 7}",
            "store.keep: 7 is not a duration; write a number with a unit, such as 250ms, 30s, 5m or 1h30m",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_remedy(line: str, said: str) -> None:
    """V5"""
    assert f"gateway.yaml:1: {said}" in problems(line)


def checked(folder: Path, sqlite: str) -> tuple[int, str]:
    """What `sidecar check` says, with the folder left out."""
    path = folder / "gateway.yaml"
    path.write_text(f"store: {{sqlite: '{sqlite}'}}{REST}")
    said = run("check", path)
    return said.returncode, (said.stdout + said.stderr).replace(str(folder), "HERE").strip()


def test_check_says_when_the_file_could_not_be_there(tmp_path: Path) -> None:
    """V5: nothing is made by asking."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")

    assert checked(tmp_path, "state.db")[0] == 0
    assert checked(tmp_path, "none/state.db") == (
        2,
        "HERE/gateway.yaml:1: store.sqlite: there is no folder HERE/none; make it, or name another file",
    )
    assert checked(tmp_path, "folder") == (
        2,
        "HERE/gateway.yaml:1: store.sqlite: HERE/folder is a folder; name a file in it",
    )
    assert checked(tmp_path, "pipe") == (
        2,
        "HERE/gateway.yaml:1: store.sqlite: HERE/pipe is no regular file; name another one",
    )
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder", "gateway.yaml", "pipe"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_check_says_when_this_user_may_not_write_there(tmp_path: Path) -> None:
    """V5"""
    (tmp_path / "folder").mkdir(mode=0o500)
    (tmp_path / "state.db").touch(mode=0o400)

    assert checked(tmp_path, "folder/state.db")[1].endswith(
        "this user cannot write to the folder HERE/folder; let it: SQLite writes a log beside its file"
    )
    assert "cannot be read and written by this user" in checked(tmp_path, "state.db")[1]
