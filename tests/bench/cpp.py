"""Builds nothing.cc, the ext_proc server in C++ that does nothing, where the tools for that are installed.

The messages come from the descriptors inside xds-protos, the package that the sidecar itself uses, so that no
.proto files have to be fetched. Run as `python -m tests.bench.cpp` it prints the packages that are missing.
"""

import hashlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from shutil import which
from typing import Final

from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

FOLDER: Final = Path(__file__).parents[2] / "build" / "bench-cpp"
_SOURCE: Final = Path(__file__).with_name("nothing.cc")
_TOOLS: Final = {  # and Debian's packages
    "g++": "g++",
    "protoc": "protobuf-compiler-grpc",  # which depends on protobuf-compiler
    "grpc_cpp_plugin": "protobuf-compiler-grpc",
}
_LIBRARIES: Final = {"grpc++": "libgrpc++-dev", "protobuf": "libprotobuf-dev"}  # as pkg-config calls them
_FLAGS: Final = ("-std=c++17", "-O2", "-fmax-errors=3")
_JOBS: Final = 2
_LINES: Final = 15  # of a compiler's output, in an error
# Imported for their options only: no field has a type of theirs, and protoc keeps options it does not know.
_ANNOTATIONS: Final = ("envoy/annotations/", "udpa/annotations/", "validate/", "xds/annotations/")
_IN_THE_LIBRARY: Final = "google/protobuf/"


class NotBuilt(RuntimeError):
    """A tool is there and did not do what it was asked."""


def missing() -> list[str]:
    """Debian's packages that must be installed before `built` can do its work."""
    packages = [package for tool, package in _TOOLS.items() if which(tool) is None]
    packages += [package for library, package in _LIBRARIES.items() if not _known(library)]
    return list(dict.fromkeys(packages))


def built(folder: Path, say: Callable[[str], None]) -> Path:
    """The program, in `folder`; it is compiled only when something that it is made of has changed.

    Raises NotBuilt, and then leaves the folder as it was.
    """
    program, stamp, wanted = folder / "nothing", folder / "stamp", _made_of()
    if program.exists() and stamp.exists() and stamp.read_text() == wanted:
        return program
    say(f"compiling {_SOURCE.name} …")
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = _build(Path(scratch))
        stamp.unlink(missing_ok=True)  # it would be the old one's if we ended in between
        made.replace(program)
    stamp.write_text(wanted)
    say(f"compiled {_SOURCE.name} in {time.monotonic() - began:.0f} s")
    return program


def _made_of() -> str:
    digest = hashlib.sha256()
    for file in (_SOURCE, Path(__file__)):
        digest.update(file.read_bytes())
    libraries = _run(["pkg-config", "--modversion", *_LIBRARIES])
    digest.update(f"{version('xds-protos')}\n{libraries}".encode())
    return digest.hexdigest()


def _build(scratch: Path) -> Path:
    sources = [str(_SOURCE), *_generated(scratch)]
    objects = [f"{at}.o" for at in range(len(sources))]
    compiler = ["g++", *_FLAGS, "-I.", *_run(["pkg-config", "--cflags", *_LIBRARIES]).split()]
    libraries = _run(["pkg-config", "--libs", *_LIBRARIES]).split()

    def compile_one(source: str, made: str) -> None:
        _run([*compiler, "-c", source, "-o", made], scratch)

    with ThreadPoolExecutor(_JOBS) as pool:
        list(pool.map(compile_one, sources, objects))
    _run(["g++", *objects, "-o", "nothing", *libraries], scratch)
    return scratch / "nothing"


def _generated(scratch: Path) -> list[str]:
    """Write the messages and the service in C++; gives the sources, those that take longest first."""
    files = FileDescriptorSet()
    _add(ext_proc.DESCRIPTOR, files)
    (scratch / "descriptors").write_bytes(files.SerializeToString())
    service = ext_proc.DESCRIPTOR.name
    names = [file.name for file in reversed(files.file) if not file.name.startswith(_IN_THE_LIBRARY)]
    protoc = ["protoc", "--descriptor_set_in=descriptors"]
    plugin = f"--plugin=protoc-gen-grpc={which('grpc_cpp_plugin')}"
    _run([*protoc, "--cpp_out=.", *names], scratch)
    _run([*protoc, "--grpc_out=.", plugin, service], scratch)
    made = [service.replace(".proto", ".grpc.pb.cc")]
    return made + [name.replace(".proto", ".pb.cc") for name in names]


def _add(file: FileDescriptor, files: FileDescriptorSet) -> None:
    """Add `file` after all that it imports, without the annotations."""
    if any(file.name == other.name for other in files.file) or file.name.startswith(_ANNOTATIONS):
        return
    for imported in file.dependencies:
        _add(imported, files)
    added = files.file.add()
    file.CopyToProto(added)
    added.dependency[:] = [name for name in added.dependency if not name.startswith(_ANNOTATIONS)]


def _known(library: str) -> bool:
    """Whether pkg-config is there and knows `library`."""
    if which("pkg-config") is None:
        return False
    return subprocess.run(["pkg-config", "--exists", library], check=False).returncode == 0


def _run(arguments: Sequence[str], folder: Path | None = None) -> str:
    done = subprocess.run(arguments, cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        last = "\n".join(done.stderr.splitlines()[-_LINES:])
        raise NotBuilt(f"`{' '.join(arguments)}` ended with {done.returncode}:\n{last}")
    return done.stdout


def main() -> None:
    sys.stdout.write(" ".join(missing()) + "\n")


if __name__ == "__main__":
    main()
