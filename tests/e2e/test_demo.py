"""`sidecar demo`, as somebody who has just cloned the repository runs it."""

import fcntl
import re
import shlex
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.running.asking import ask
from tests.running.groups import stopped
from tests.running.ports import accepts
from tests.running.sidecar import command, environment, run
from tests.waiting import until

pytestmark = pytest.mark.e2e

QUICKSTART = Path(__file__).parents[2] / "deploy" / "examples" / "quickstart.yaml"
USUAL_PORTS = [50051, 9900, 9901, 10000, 8101, 8111]
STARTS_WITHIN_S = 20.0


@pytest.fixture(autouse=True)
def _one_at_a_time() -> Iterator[None]:
    """The demo prefers fixed ports: two at once, in other workers or checkouts, would race for them."""
    with (Path(tempfile.gettempdir()) / "sidecar-demo-tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _taken(ports: list[int]) -> Iterator[None]:
    """Somebody listens on all of them, this test where nobody else did."""
    with ExitStack() as stack:
        for port in ports:
            held = stack.enter_context(socket.socket())
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                held.bind(("127.0.0.1", port))
            except OSError:
                continue
            held.listen()
        yield


@contextmanager
def _demo(folder: Path, *arguments: str | Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The process and the file with all it says; its own files are under `scratch`."""
    output = folder / "output"
    scratch = folder / "scratch"
    scratch.mkdir()
    with output.open("wb") as written:
        process = subprocess.Popen(
            [*command(), "demo", *map(str, arguments)],
            stdout=written,
            stderr=written,
            env=environment(TMPDIR=str(scratch), PYTHONUNBUFFERED="1"),
            start_new_session=True,
        )
    try:
        yield process, output
    finally:
        stopped(process)


def _lines_with(text: str, word: str) -> list[str]:
    return [line for line in text.splitlines() if word in line]


def test_the_quickstart_is_what_the_demo_runs_by_default(tmp_path: Path) -> None:
    """V6: everything that the file shows, with gRPC's own server."""
    done = run("demo", "--check", TMPDIR=str(tmp_path))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "13 held, 0 did not" in done.stdout
    assert list(tmp_path.iterdir()) == []


SMALL = """\
# {title}
#
# Shows V6.
clusters: {{a: {{endpoints: [{{address: "127.0.0.1:8131", id: one}}]}}}}
routes: [{{name: all, match: {{path: {{prefix: /a}}}}, to: a}}]
demo: {{tour: [{{path: /a, expect: {{status: 200}}}}, {{path: /b, expect: {{status: {status}}}}}]}}
"""


def test_several_files_are_checked_one_after_the_other_and_told_in_one_table(tmp_path: Path) -> None:
    """V6: only of a file that fails everything is shown, and the others are tried all the same."""
    good, bad, last = tmp_path / "good.yaml", tmp_path / "bad.yaml", tmp_path / "last.yaml"
    good.write_text(SMALL.format(title="All is well. Really", status=404))
    bad.write_text(SMALL.format(title="Something is not", status=200))
    last.write_text(SMALL.format(title="Well again", status=404))

    done = run("demo", good, bad, last, "--check")

    assert done.returncode == 1, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("1/3 good.yaml 2 held, 0 did not, ")
    assert lines[1].startswith("2/3 bad.yaml 1 held, 1 did not, ")
    assert len(_lines_with(done.stdout, "GET /a")) == 1
    assert "status is 404" in done.stdout
    (row,) = [line for line in lines if "│ bad.yaml" in line]
    assert [cell.strip() for cell in row.split("│")[1:6]] == ["NO", "bad.yaml", "Something is not", "1", "1"]
    (row,) = [line for line in lines if "│ good.yaml" in line]
    assert [cell.strip() for cell in row.split("│")[1:6]] == ["ok", "good.yaml", "All is well", "2", "0"]
    assert lines[-1] == "5 held, 1 did not"


def test_several_files_can_only_be_checked(tmp_path: Path) -> None:
    """V6"""
    one = tmp_path / "one.yaml"
    one.write_text(SMALL.format(title="One", status=404))

    done = run("demo", one, one)

    assert done.returncode == 2
    assert "several files can only be checked: give one, or add --check" in done.stderr


def test_a_tour_sends_what_it_says_and_counts_what_comes_back(tmp_path: Path) -> None:
    """V6: bodies of three kinds, paths as they are written, redirects that are not followed, copies."""
    tour = tmp_path / "tour.yaml"
    tour.write_text(
        """
clusters:
  a: {endpoints: [{address: "127.0.0.1:8131", id: one}]}
  b: {endpoints: [{address: "127.0.0.1:8132", id: two}]}
routes:
  - {name: moved, match: {path: {exact: /old}}, redirect: {path: /new, status: 302}}
  - {name: copied, match: {path: {exact: /copied}}, to: a, mirror: {to: b, share: 50%}}
  - {name: slow, match: {path: {exact: /slow}}, to: a, fault: {delay: {share: 100%, for: 100ms}}}
  - {name: half, match: {path: {exact: /half}}, to: a, fault: {abort: {share: 50%, status: 503}}}
  - {name: all, to: a}
demo:
  tour:
    - {path: /, method: POST, body: é, expect: {body_bytes: 2, headers: {content-length: "2"}}}
    - path: /
      method: POST
      json: {a: [1]}
      expect: {body_bytes: 10, headers: {content-type: application/json}}
    - {path: /, method: POST, body_bytes: 70000, expect: {headers: {content-length: "70000"}}}
    - path: /
      method: POST
      body_bytes: 70000
      chunked: true
      expect: {body_bytes: 70000, headers: {content-length: null, transfer-encoding: chunked}}
    - {path: "//a", expect: {status: 200, cluster: a, content_type: application/json}}
    - {path: /old, times: 3, expect: {statuses: {302: 3}, response_headers: {location: /new}}}
    - {path: /slow, times: 24, expect: {status: 200, slower_than: {ms: 100, times: 24}}}
    - {path: /half, times: 200, expect: {statuses: {200: [60, 140], 503: [60, 140]}}}
    - {path: /copied, times: 100, expect: {status: 200, endpoints: {one: 100}, mirrored: {two: [25, 75]}}}
    - {path: /copied, times: 100, expect: {status: 200, mirrored: {two: 0}}}
"""
    )

    done = run("demo", tour, "--check")

    assert done.returncode == 1, done.stdout + done.stderr
    assert "9 held, 1 did not" in done.stdout, done.stdout
    (row,) = _lines_with(done.stdout, " NO ")
    assert re.search("two got [0-9]+ copies", row)


def test_a_wrong_expectation_is_told_and_fails(tmp_path: Path) -> None:
    """V6"""
    text = QUICKSTART.read_text()
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(
        text.replace(
            "expect: {status: 200, endpoint: shop-next}", "expect: {status: 200, endpoint: shop-a}", 1
        )
    )
    assert wrong.read_text() != text

    done = run("demo", wrong, "--check")

    assert done.returncode == 1, done.stdout + done.stderr
    assert "12 held, 1 did not" in done.stdout
    (row,) = _lines_with(done.stdout, " NO ")
    assert "endpoint is shop-next" in done.stdout
    assert "one endpoint by name" in row


def test_ports_that_are_taken_are_replaced_and_told(tmp_path: Path) -> None:
    """V6"""
    with _taken(USUAL_PORTS):
        done = run("demo", QUICKSTART, "--check")

    assert done.returncode == 0, done.stdout + done.stderr
    for port in USUAL_PORTS:
        (line,) = _lines_with(done.stdout, f"port {port} is taken, using ")
        assert int(line.rpartition(" ")[2]) not in USUAL_PORTS


def test_an_envoy_that_is_not_there_is_told(tmp_path: Path) -> None:
    """V6"""
    done = run("demo", QUICKSTART, "--envoy", tmp_path / "none")

    assert done.returncode == 2
    assert done.stderr == f"no Envoy at {tmp_path / 'none'}\n"


def test_a_file_without_a_tour_has_nothing_to_check(tmp_path: Path) -> None:
    """V6"""
    bare = tmp_path / "bare.yaml"
    bare.write_text(
        "clusters: {a: {endpoints: [{address: '127.0.0.1:8080'}]}}\nroutes: [{name: all, to: a}]\n"
    )

    done = run("demo", bare, "--check")

    assert done.returncode == 2
    assert done.stderr == f"{bare} has no tour to check: add requests under demo.tour\n"


def test_endpoints_without_ids_go_by_their_addresses(tmp_path: Path) -> None:
    """V6 A1: in the file, its routes and its tour, wherever they run."""
    bare = tmp_path / "bare.yaml"
    bare.write_text(
        """
clusters: {a: {endpoints: [{address: "10.0.0.1:8131"}, {address: "10.0.0.2:8131"}]}}
routes:
  - {name: all, to: a, strategy: round_robin}
  - {name: one, match: {path: /one}, to: "10.0.0.2:8131"}
  - {name: pool, match: {path: /pool}, pool: ["10.0.0.2:8131", {cluster: a, endpoint: "10.0.0.1:8131"}]}
demo:
  tour:
    - {path: /, times: 4, expect: {endpoints: {"10.0.0.1:8131": 2, "10.0.0.2:8131": 2}}}
    - {path: /one, times: 2, expect: {endpoint: "10.0.0.2:8131"}}
    - {path: /pool, times: 2, expect: {endpoints: {"10.0.0.1:8131": 1, "10.0.0.2:8131": 1}}}
"""
    )

    done = run("demo", bare, "--check")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 held, 0 did not" in done.stdout


def test_text_that_looks_like_a_number_stays_text(tmp_path: Path) -> None:
    """V6: the demo runs a copy of the file with other ports."""
    bare = tmp_path / "bare.yaml"
    bare.write_text(
        "clusters: {a: {endpoints: [{address: '127.0.0.1:8131'}]}}\n"
        "routes: [{name: all, to: a}]\n"
        "demo: {tour: [{path: /, method: POST, body: '0123456789', expect: {status: 200}}]}\n"
    )

    done = run("demo", bare, "--check")

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_check_can_be_stopped_before_its_end(tmp_path: Path) -> None:
    """V6: it says so, and it did not hold."""
    long = tmp_path / "long.yaml"
    long.write_text(
        "clusters: {a: {endpoints: [{address: '127.0.0.1:8141', id: one}]}}\n"
        "envoy: {listen: '127.0.0.1:10041'}\n"
        "routes: [{name: all, to: a}]\n"
        "demo: {tour: [{path: /, times: 10000, expect: {status: 200}}]}\n"
    )
    with _demo(tmp_path, long, "--check") as (process, output):
        until(lambda: any(tmp_path.glob("scratch/*/envoy.log")), "the start", STARTS_WITHIN_S)
        assert stopped(process, signal.SIGINT) == 1
        assert "Stopped before the end of the tour." in output.read_text()
    assert not any((tmp_path / "scratch").iterdir())


def test_a_file_that_is_wrong_is_told_before_anything_starts(tmp_path: Path) -> None:
    """V4"""
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("clusters: {a: {}}\nroutes: [{name: all, to: b}]\n")

    done = run("demo", wrong)

    assert done.returncode == 2
    assert 'there is no cluster or endpoint "b"' in done.stderr


@pytest.mark.parametrize(
    ("number", "transport"), [(signal.SIGINT, "grpc"), (signal.SIGTERM, "grpc"), (signal.SIGTERM, "envoy")]
)
def test_it_shows_each_decision_and_stops_without_a_trace(
    tmp_path: Path, number: signal.Signals, transport: str
) -> None:
    """V6 O6: curl lines to try, a line for each request, and nothing left at the end."""
    with _demo(tmp_path, QUICKSTART, "--transport", transport) as (process, output):
        until(lambda: "Each decision shows here" in output.read_text(), "the start", STARTS_WITHIN_S)
        welcome = output.read_text()
        curls = [shlex.split(line) for line in welcome.splitlines() if line.startswith("  curl ")]
        assert len(curls) == 5
        port = int(curls[0][-1].split("/")[2].rpartition(":")[2])

        assert ask(port, "/one/of-many").seen["endpoint"] == "shop-next"
        assert ask(port, "/nothing").status == 404

        until(lambda: "GET /nothing ->" in output.read_text(), "the line of the last request")
        (decided,) = _lines_with(output.read_text(), "GET /one/of-many ->")
        assert "shop/shop-next" in decided
        (refused,) = _lines_with(output.read_text(), "GET /nothing ->")
        assert "refused with 404: no route matches this request" in refused

        listening = {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", welcome)}
        assert len(listening) == 3 + 8
        assert all(accepts(port) for port in listening)

        assert stopped(process, number) == 0
        assert "Stopping." in output.read_text()
        assert not [port for port in listening if accepts(port)]
    assert not any((tmp_path / "scratch").iterdir())
