"""What an endpoint's page of metrics says of its load, fetched and read."""

import asyncio
from typing import Final

from sidecar.core.endpoint import Endpoint
from sidecar.core.report import Report
from sidecar.core.watch import ScrapeRule
from sidecar.runtime.asking.get import SCRAPE, BadAnswer, Web, elsewhere
from sidecar.wire.exposition import read

_MOST_BODY: Final = 1_048_576


async def scraped(web: Web, endpoint: Endpoint, rule: ScrapeRule) -> Report | None:
    """Within the rule's timeout; None where there was no page to read."""
    try:
        async with asyncio.timeout(rule.timeout_s):
            address = elsewhere(endpoint.address, rule.port)
            page = await web.get(address, rule.path, rule.host or endpoint.cluster, SCRAPE, _MOST_BODY)
            if page.status != 200 or not page.whole:
                return None
            async with web.reading:
                steps = read(page.body, rule)
                while True:
                    try:
                        next(steps)
                    except StopIteration as end:
                        report: Report = end.value
                        return report
                    await asyncio.sleep(0)
    except (TimeoutError, BadAnswer):
        return None
