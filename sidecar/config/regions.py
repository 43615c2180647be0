"""When one region after another has the traffic, to the rule by which the core chooses it."""

from sidecar.config import schema
from sidecar.config.errors import Findings
from sidecar.config.sections import Draft
from sidecar.core.watch import RegionRule


def region_rule(written: schema.Regions) -> RegionRule | None:
    """Of regions that `check_regions` found sound."""
    leave = written.leave
    if leave is None:
        return None
    return RegionRule(
        tuple(written.all_in_order),
        0.0 if leave.health is None else leave.health,
        0.0 if leave.response_time is None else leave.response_time,
        1.0 if leave.error_rate is None else leave.error_rate,
        written.return_after,
        leave.window,
        leave.requests,
    )


def check_regions(drawn: Draft, findings: Findings) -> None:
    """What needs two keys to judge."""
    written = drawn.config.regions
    leave = written.leave
    if leave is None:
        return
    place = ("regions", "leave")
    if leave.health is None and leave.response_time is None and leave.error_rate is None:
        findings.add(
            place, "there is no reason to leave a region", "give it health, response_time or error_rate"
        )
    if len(written.all_in_order) < 2:
        findings.add(
            place,
            "there is nowhere to go from a region that is left",
            "name at least two regions in primary and order",
        )
