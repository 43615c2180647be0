"""Compiles `sidecar/core` and the readers of `sidecar/wire` with mypyc while the wheel is built.

The compiled modules are added to the wheel beside their sources, so the same package works either way.
Set SIDECAR_PURE=1 to leave them out. A failed compilation is told and leaves a working pure wheel.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_READERS = ("entry_reader", "fields", "reader")
"""Of `sidecar/wire`; they import nothing but one another and the core."""

_SETUP = """
from pathlib import Path
from mypyc.build import mypycify
from setuptools import setup

modules = [*sorted(Path("sidecar/core").rglob("*.py")), *sorted(Path("sidecar/wire").glob("[!_]*.py"))]
setup(
    name="core",
    packages=[],
    ext_modules=mypycify([*map(str, modules), "--strict"], opt_level="3", group_name="sidecar_core"),
)
"""


class CompileCore(BuildHookInterface):  # type: ignore[type-arg]
    """Called by hatchling for each wheel; not for editable installs, whose sources would hide the result."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        if os.environ.get("SIDECAR_PURE", "") not in {"", "0"}:
            self.app.display_info("SIDECAR_PURE is set: the core is left uncompiled")
            return
        if not _has_c_compiler():
            self.app.display_warning("no C compiler: the core is left uncompiled and about 5 times slower")
            return
        self._scratch = tempfile.TemporaryDirectory(prefix="sidecar-core-")
        compiled = _compile(Path(self.root), Path(self._scratch.name))
        if isinstance(compiled, str):
            self.app.display_warning(f"the core is left uncompiled, its compilation failed:\n{compiled}")
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["force_include"].update({str(path): name for path, name in compiled})

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        scratch = getattr(self, "_scratch", None)
        if scratch is not None:
            scratch.cleanup()


def _has_c_compiler() -> bool:
    named = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    return shutil.which(str(named).split()[0]) is not None


def _compile(root: Path, scratch: Path) -> list[tuple[Path, str]] | str:
    """(built file, its place in the wheel) for each module, or what the compiler said."""
    no_builds = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(root / "sidecar" / "core", scratch / "sidecar" / "core", ignore=no_builds)
    (scratch / "sidecar" / "wire").mkdir()
    for name in ("__init__", "names", "wire/__init__", *(f"wire/{reader}" for reader in _READERS)):
        shutil.copy(root / "sidecar" / f"{name}.py", scratch / "sidecar" / f"{name}.py")
    (scratch / "setup.py").write_text(_SETUP)
    done = subprocess.run(
        [sys.executable, "setup.py", "build_ext", "--build-lib", "out", "--build-temp", "tmp"]
        + ["--parallel", str(os.cpu_count() or 1)],
        cwd=scratch,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        return (done.stdout + done.stderr)[-4000:]
    out = scratch / "out"
    return [(path, str(path.relative_to(out))) for path in sorted(out.rglob("*.so"))]
