"""`sidecar override` and `sidecar routes`: a running sidecar is told over its admin address."""

import http.client
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import click

from sidecar.config import document

_PATIENCE_S: Final = 60.0
_SOUND: Final = 200
_ANSWERS: Final = {True: {"done", "generation", "lasts"}, False: {"error"}}
"""What stands in the answer of a sidecar that did it, or did not."""


class CannotAsk(Exception):
    """Nobody could be asked; the text says why."""


def route_in(file: Path) -> dict[str, Any]:
    """One route as YAML, in a file or with `-` in the standard input. CannotAsk when there is none."""
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        read = document.read(data.decode("utf-8-sig"))
    except OSError as error:
        raise CannotAsk(f"{file}: cannot be read: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise CannotAsk(f"{file}: is not UTF-8; save it as UTF-8") from error
    if read.top is None or read.problems:
        raise CannotAsk("\n".join(problem.text(str(file)) for problem in read.problems))
    name = read.top.get("name")
    if not isinstance(name, str) or not name:
        raise CannotAsk(f"{file}: needs the route's name; begin with name: …")
    return read.top


def told(admin: str, method: str, path: tuple[str, ...], body: dict[str, Any]) -> int:
    """Tell the sidecar there, print what it says, and return the command's exit code. May raise CannotAsk."""
    url = f"http://{admin}/v1/{'/'.join(quote(step, safe='') for step in path)}"
    request = urllib.request.Request(
        url,
        json.dumps(body).encode(),
        {"content-type": "application/json"},
        method=method,
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=_PATIENCE_S) as response:
            status, said = response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            status, said = error.code, error.read()
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise CannotAsk(
            f"no sidecar at {admin}: {reason}; name its admin address with --admin HOST:PORT"
        ) from error
    try:
        answer = json.loads(said)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or not _ANSWERS[status == _SOUND] <= answer.keys():
        raise CannotAsk(f"what answers at {admin} is no sidecar: {status}")
    if status != _SOUND:
        for line in [*answer.get("problems", []), answer["error"]]:
            click.echo(line, err=True)
        return 2 if status < 404 else 1
    click.echo(f"{answer['done']} (generation {answer['generation']}), {answer['lasts']}")
    for note in answer.get("notes", []):
        click.echo(f"note: {note}", err=True)
    return 0
