"""Asks the golden requests of a fresh sidecar, as bytes.

A `<case>.request.txtpb` is the messages of one ext_proc stream in text format, with a line `---` between two;
`<case>.response.txtpb` is the answers in the same form.
"""

import sys
from pathlib import Path
from random import Random
from typing import Any, Final

from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from google.protobuf import text_format

from sidecar.config.load import load
from sidecar.core.engine import Engine
from sidecar.core.state.memory import State
from sidecar.wire.answers import Answers
from sidecar.wire.ext_proc import ExtProcStream
from tests.wire.messages import Deciding

FOLDER: Final = Path(__file__).parent
_BORDER: Final = "---\n"


def cases() -> list[str]:
    return sorted(path.name.removesuffix(".request.txtpb") for path in FOLDER.glob("*.request.txtpb"))


def read(path: Path, kind: Any) -> list[Any]:
    text = path.read_text("utf-8")
    return [text_format.Parse(part, kind()) for part in text.split(_BORDER)] if text else []


def written(messages: list[Any]) -> str:
    return _BORDER.join(text_format.MessageToString(message, as_utf8=True) for message in messages)


def replies(case: str) -> list[bytes]:
    """The answers of a sidecar that has just started, in their order."""
    loaded = load(FOLDER / "gateway.yaml", generation=1)
    engine = Engine(loaded.plan, State(), Random(1))
    stream = ExtProcStream(Deciding(engine), Answers(), feedback=False)
    requests = read(FOLDER / f"{case}.request.txtpb", ext_proc.ProcessingRequest)
    return [reply for request in requests for reply in stream.receive(request.SerializeToString())]


if __name__ == "__main__":
    for each in cases():
        sys.stdout.write("".join(f"{each} {reply.hex()}\n" for reply in replies(each)))
