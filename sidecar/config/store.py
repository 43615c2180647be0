"""What the file says of its store, and whether that can be there on this machine.

The latter is asked when a sidecar starts and by `sidecar check`, not with every load: a sidecar whose disk
has gone away goes on, and takes new configurations.
"""

import os
from pathlib import Path
from typing import Final

from sidecar.config import schema
from sidecar.config.errors import Findings, Problem, shown

_LEAST_S: Final = 0.1


def check_store(config: schema.Config, findings: Findings) -> None:
    store = config.store
    if isinstance(store, schema.Store) and not store.sqlite:
        findings.add(("store", "sqlite"), "must not be empty", "name a file, such as state.db")
    elif isinstance(store, schema.Store) and store.sqlite.startswith((":memory:", "file:")):
        findings.add(
            ("store", "sqlite"),
            f"{shown(store.sqlite)} is no file",
            "write `store: memory`, which keeps nothing over a restart, or name a file",
        )
    if isinstance(store, schema.Store) and store.every < _LEAST_S:
        findings.add(("store", "every"), "must be at least 100ms", "each save writes a disk")


def store_path(config: schema.Config, folder: Path) -> Path | None:
    """Of the SQLite file, which is looked for from `folder`; None where there is none."""
    return folder / config.store.sqlite if isinstance(config.store, schema.Store) else None


def problems_of_place(config: schema.Config, folder: Path) -> list[Problem]:
    """Why the store cannot be there."""
    path = store_path(config, folder)
    if path is None:
        return []
    name, parent = str(path), str(path.parent)
    wrong: tuple[str, str] | None = None
    try:
        if path.is_dir():
            wrong = (f"{name} is a folder", "name a file in it")
        elif path.exists():
            if not path.is_file():
                wrong = (f"{name} is no regular file", "name another one")
            elif not os.access(path, os.R_OK | os.W_OK):
                wrong = (f"{name} cannot be read and written by this user", "let it, or name another file")
        elif not path.parent.is_dir():
            wrong = (f"there is no folder {parent}", "make it, or name another file")
        if wrong is None and not os.access(path.parent, os.W_OK | os.X_OK):
            wrong = (
                f"this user cannot write to the folder {parent}",
                "let it: SQLite writes a log beside its file",
            )
    except (OSError, ValueError):  # a name that is too long, or has a null character
        wrong = (f"{name} is not a path", "name a file")
    return [] if wrong is None else [Problem(("store", "sqlite"), *wrong)]
