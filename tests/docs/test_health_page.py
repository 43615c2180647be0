"""docs/health.md shows what a real sidecar says of an endpoint that is out, and the defaults that count."""

import asyncio
import json
import re
from pathlib import Path
from typing import Final

from click.testing import CliRunner

from sidecar.cli.commands import cli
from sidecar.config.schema import Breaker, Health, Outliers, Probe, Score
from sidecar.config.schema.base import Section
from tests.docs.pages import ROOT, blocks, codes, rows
from tests.runtime.caller import Caller
from tests.runtime.sidecars import process
from tests.waiting import until

PAGE: Final = ROOT / "docs/health.md"
SECTIONS: Final[dict[str, type[Section]]] = {
    "breaker": Breaker,
    "health": Health,
    "health.outliers": Outliers,
    "health.score": Score,
    "health.probe": Probe,
}
NUMBERS: Final = re.compile(r"\b\d+ s\b|(?<=} )\d+\.\d+$")


def test_the_example_is_what_a_sidecar_says(tmp_path: Path) -> None:
    """O6, O2, O4: but for the seconds that have passed."""
    (text,) = [block.text for block in blocks(PAGE, "yaml") if block.text.startswith("# watched.yaml")]
    command, metrics = (block.text for block in blocks(PAGE, "text"))
    (line,) = [json.loads(block.text) for block in blocks(PAGE, "json")]
    asked, _, shown = command.partition("\n")
    own = "listen: {grpc: '127.0.0.1:0', admin: '127.0.0.1:0', drain: 1s}\n"

    with process(tmp_path, own + text) as sidecar:
        asyncio.run(broken(sidecar.address))
        words = asked.removeprefix("$ sidecar ").replace("127.0.0.1:50051", sidecar.address).split()
        said = CliRunner().invoke(cli, words, prog_name="sidecar").output
        given = [without_numbers(each) for each in sidecar.get("/metrics")[1].splitlines()]
        until(lambda: bool(sidecar.events("endpoint_out")), "the line in the log")
        (event,) = sidecar.events("endpoint_out")

    assert without_numbers(said) == without_numbers(shown)
    assert [each for each in metrics.splitlines() if without_numbers(each) not in given] == []
    assert {**event, "back_in_s": 0, "timestamp": ""} == {
        **line,
        "level": "warning",
        "back_in_s": 0,
        "timestamp": "",
    }


async def broken(address: str) -> None:
    """shop-b fails until its breaker opens, and shop-c is busy; shop-a is next."""
    async with Caller(address) as caller:
        failed = 0
        while failed < 3:
            decision = (await caller.route("/cart")).decision
            bad = decision.endpoint.id == "shop-b"
            failed += bad
            await caller.report(decision.ticket, 503 if bad else 200)
        await caller.load("shop", id="shop-c", utilisation=0.95)
        while (await caller.explain("/cart")).candidates[0].endpoint.id != "shop-a":
            await caller.report((await caller.route("/cart")).decision.ticket, 200)


def without_numbers(text: str) -> str:
    return NUMBERS.sub("N", text.rstrip())


def test_the_defaults_are_those_of_the_program() -> None:
    cells = [row for row in rows(PAGE.read_text("utf-8")) if len(row) == 3 and codes(row[1])]
    defaults = {codes(key)[0]: codes(default)[0] for key, default, _ in cells}

    assert len(defaults) > 20
    for key, default in defaults.items():
        section, _, name = key.rpartition(".")
        assert str(SECTIONS[section].model_fields[name].default) == default, key
