"""Commands for a running sidecar, told to somebody else."""

import http.server
import threading

import pytest
from click.testing import CliRunner

from sidecar.cli.commands import cli


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("body", [b'{"detail": "what?"}', b"[]", b"hello"])
def test_who_answers_and_is_no_sidecar_is_told_in_plain_words(status: int, body: bytes) -> None:
    """M17"""

    class Other(http.server.BaseHTTPRequestHandler):
        def do_DELETE(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Nothing is said."""

    with http.server.HTTPServer(("127.0.0.1", 0), Other) as server:
        serving = threading.Thread(target=server.handle_request)
        serving.start()
        admin = f"127.0.0.1:{server.server_port}"
        result = CliRunner().invoke(cli, ["routes", "delete", "chat", "--admin", admin])
        serving.join()

    assert result.exit_code == 2
    assert result.stderr == f"what answers at {admin} is no sidecar: {status}\n"
