"""`sidecar explain --server`: what a running sidecar would decide, with what it knows of health."""

import asyncio
import contextlib
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from click.testing import CliRunner, Result

from sidecar.cli.commands import cli
from sidecar.cli.explain import CannotAsk, asked
from tests.running.ports import free_ports
from tests.runtime.caller import Caller
from tests.runtime.sidecars import Process, process
from tests.waiting import until

FILE = """\
listen: {grpc: ['127.0.0.1:0', 'unix:SOCKET'], admin: '127.0.0.1:0', drain: 1s}
clusters:
  shop:
    endpoints: [{address: '10.0.0.1:80', id: a}, {address: '10.0.0.2:80', id: b}]
    slow_start: 0s
    breaker: {failures: 3, open: 2s, half_open: 1, close_after: 1}
routes:
  - name: chat
    match: {path: /chat, body: {model: gpt-4}}
    to: shop
  - name: halves
    match: {path: /half}
    split: [{to: shop, weight: 3}, {to: shop, name: other, weight: 1}]
    sticky: {by: user}
  - name: shop
    match: {path: {prefix: /shop}}
    to: shop
    strategy: round_robin
    rewrite: {strip_prefix: /shop}
"""


@pytest.fixture
def sidecar(tmp_path: Path) -> Iterator[Process]:
    with process(tmp_path, FILE.replace("SOCKET", str(tmp_path / "s.sock"))) as one:
        one.wait_ready()
        yield one


def explain(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(cli, ["explain", *words], prog_name="sidecar")


def lines(*words: str) -> list[str]:
    return [line.rstrip() for line in explain(*words).stdout.splitlines()]


async def requests(address: str, bad: str, count: int) -> None:
    """One after the other; those to the endpoints `bad` fail."""
    async with Caller(address) as caller:
        for _ in range(count):
            decision = (await caller.route("/shop/1")).decision
            await caller.report(decision.ticket, 503 if decision.endpoint.id in bad else 200)


def test_says_why_an_endpoint_is_out_when_it_may_be_back_and_no_more_once_it_is(sidecar: Process) -> None:
    """O6, O2, O4, H5: the same from the metrics and from the log."""
    asyncio.run(requests(sidecar.address, "b", 6))

    said = lines("--server", sidecar.address, "--path", "/shop/1")
    assert said[-5:-2] == [
        "  >    shop/a    10.0.0.1:80",
        said[-4],
        "",
    ]
    why = said[-4].partition("10.0.0.2:80    ")[2]
    assert why.partition(": ")[0] in {"out", "resting"}
    assert why.partition(": ")[2] in {
        f"breaker open: 3 failures in a row; trials again in {seconds} s" for seconds in (1, 2)
    }
    assert sidecar.sample('sidecar_endpoint_out{cause="breaker",cluster="shop",endpoint="b"}') == 1
    left_s = sidecar.sample('sidecar_endpoint_back_seconds{cluster="shop",endpoint="b"}')
    assert left_s is not None
    assert 0 < left_s <= 2
    until(lambda: bool(sidecar.events("endpoint_out")), "the line in the log")
    (out,) = sidecar.events("endpoint_out")
    assert (out["cluster"], out["endpoint"], out["cause"]) == ("shop", "b", "breaker")
    assert out["why"] == "breaker open: 3 failures in a row"

    def half_open() -> bool:
        return any("breaker half-open: 1 of 1 trials left" in line for line in lines(*ask))

    ask = ("--server", sidecar.address, "--path", "/shop/1")
    until(half_open, "the time of trials")
    asyncio.run(requests(sidecar.address, "", 2))

    assert {"  2    shop/b    10.0.0.2:80", "  >    shop/b    10.0.0.2:80"} & set(lines(*ask))
    assert sidecar.sample('sidecar_endpoint_out{cause="breaker",cluster="shop",endpoint="b"}') is None
    assert sidecar.sample('sidecar_endpoints{cluster="shop",level="healthy"}') == 2
    assert sidecar.sample("sidecar_breaker_opened_total") == 1
    until(lambda: bool(sidecar.events("endpoint_back")), "the line in the log")


def test_programs_get_the_same_as_numbers(sidecar: Process) -> None:
    """O6"""
    asyncio.run(requests(sidecar.address, "b", 6))

    found = json.loads(explain("--server", sidecar.address, "--path", "/shop/1", "--json").stdout)

    (b,) = [each for each in found["candidates"] if each["endpoint"]["id"] == "b"]
    (mark,) = b["marks"]
    assert mark["cause"] == "breaker"
    assert 0 < mark["seconds_left"] == b["back_seconds"] <= 2


def test_when_nobody_is_left_everybody_is_listed_with_the_reason(sidecar: Process) -> None:
    """O6, H7"""
    asyncio.run(requests(sidecar.address, "ab", 6))

    result = explain("--server", sidecar.address, "--path", "/shop/1")

    assert result.exit_code == 1
    assert "Endpoints, each with why it is passed over:" in result.stdout
    assert result.stdout.count("breaker open: 3 failures in a row; trials again in") == 2
    assert "Answer: refused with 503, no endpoint of this route is healthy" in result.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["--path", "/shop/1"],
        ["--path", "/shop/../shop//1"],
        ["--path", "/nowhere", "--method", "POST", "--host", "shop.test"],
        ["--path", "/half", "--header", "x-user-id: u1"],
        ["--path", "/chat", "--body", '{"model": "gpt-4"}'],
        ["--path", "/chat", "--body", '{"model": "gpt-3"}', "--header", "content-type: application/json"],
    ],
)
def test_says_of_a_fresh_sidecar_what_its_file_says(
    sidecar: Process, tmp_path: Path, words: list[str]
) -> None:
    """O6: as text and for programs."""
    file = str(tmp_path / "gateway.yaml")
    for more in ([], ["--json"]):
        here = explain(file, *words, *more)
        there = explain("--server", f"unix:{tmp_path / 's.sock'}", *words, *more)
        assert here.stdout
        assert (there.exit_code, there.stdout) == (here.exit_code, here.stdout)


def test_a_path_that_the_sidecar_cannot_take_is_wrong_usage(sidecar: Process) -> None:
    result = explain("--server", sidecar.address, "--path", "/a", "--method", "G T")

    assert result.exit_code == 2
    assert result.stderr == (
        f"the sidecar at {sidecar.address} cannot take the request: "
        "method must have no spaces or control characters, got 'G T'\n"
    )


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--path", "/"], "Error: needs either CONFIG or --server, got none"),
        (
            ["x.yaml", "--server", "127.0.0.1:1", "--path", "/"],
            "Error: needs either CONFIG or --server, got both",
        ),
        (
            ["--server", "127.0.0.1:1", "--path", "/", "--at", "2026-11-21T23:00Z"],
            "Error: --at is for a CONFIG: a running sidecar answers for now",
        ),
        (
            ["--server", "nowhere", "--path", "/"],
            (
                'Error: --server nowhere: "nowhere" is not an address to listen on; '
                "write host:port or unix:/path, such as 127.0.0.1:50051"
            ),
        ),
    ],
)
def test_wrong_usage_is_told_and_ends_with_2(words: list[str], text: str) -> None:
    result = explain(*words)

    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == text


def test_nobody_there_is_told_in_plain_words(tmp_path: Path) -> None:
    """With what stands in the way."""
    left = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(left))
    for address, why in (
        (f"127.0.0.1:{free_ports(1)[0]}", "nobody listens there"),
        (f"unix:{left}", "nobody listens there"),
        (f"unix:{tmp_path / 'none.sock'}", "there is no such socket"),
        ("nowhere.invalid:50051", "its name has no address"),
    ):
        result = explain("--server", address, "--path", "/")

        assert result.exit_code == 2
        assert result.stderr == (
            f"no sidecar can be reached at {address}: {why}; name an address that it listens on "
            "(listen.grpc)\n"
        )


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "answers at ADDR is no sidecar: {none}"),
        (b"\x00\xff" * 5000, "answers at ADDR is no sidecar: {none}"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "answers at ADDR is no sidecar: {none}"),
        (b"", "listens at ADDR hung up without an answer"),
    ],
    ids=["plain HTTP", "garbage", "another protocol", "nothing"],
)
def test_who_listens_and_speaks_no_grpc_is_told_from_nobody(answer: bytes, said: str) -> None:
    def listen(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _ = server.accept()
                with one, contextlib.suppress(OSError):
                    one.recv(65536)
                    one.sendall(answer)
                    one.shutdown(socket.SHUT_WR)
                    while one.recv(65536):
                        pass

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as there:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        there.submit(listen, server)
        result = explain("--server", address, "--path", "/")
        server.shutdown(socket.SHUT_RDWR)

    assert result.exit_code == 2
    told = said.replace("ADDR", address).format(none="it speaks no gRPC")
    assert result.stderr == f"what {told}; name an address that it listens on (listen.grpc)\n"


def test_somebody_who_never_answers_is_told_in_plain_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(CannotAsk, match=rf"^what listens at {address} did not answer within 0.3 s$"):
            asked(address, "GET", "", "/", [], patience_s=0.3)


def test_another_grpc_server_is_told_in_plain_words() -> None:
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with pytest.raises(CannotAsk, match=r"is no sidecar, or one that cannot explain$"):
            asked(f"127.0.0.1:{port}", "GET", "", "/", [])
    finally:
        server.stop(None).wait()
