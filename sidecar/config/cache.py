"""What a route says of answers that are given again, to the rules of the core; and what cannot be meant."""

from sidecar.config import schema
from sidecar.config.errors import Findings, Where, shown
from sidecar.core.state.answers import Keeping


def compile_keeping(written: schema.Route, where: Where, findings: Findings) -> Keeping | None:
    """Which answers a route keeps; None for none."""
    told = written.last_good
    if told is None:
        return None
    place = (*where, "last_good")
    check_vary(told.vary, (*place, "vary"), findings)
    if told.max_size > told.memory:
        findings.add(
            (*place, "max_size"), "one answer would take more than memory allows", "write at most memory"
        )
    if told.refresh >= told.max_age:
        findings.add(
            (*place, "refresh"),
            "an answer would be too old to be given before it is taken anew",
            "write less than max_age",
        )
    vary = tuple(name.lower() for name in told.vary)
    return Keeping(told.max_age, told.max_size, told.entries, told.memory, told.refresh, vary)


def check_cache(written: schema.Route, where: Where, findings: Findings) -> None:
    """What a route with a cache cannot have besides."""
    told = written.cache
    if told is None:
        return
    place = (*where, "cache")
    check_vary(told.vary, (*place, "vary"), findings)
    if told.ttl < 1:
        findings.add((*place, "ttl"), "must be at least 1s", "Envoy counts seconds")
    if written.split is not None:
        findings.add(
            place, "would give clients of one arm what another arm answered", "write a route for each arm"
        )
    if written.sticky is not None and written.sticky.cookie is not None:
        findings.add(
            place, "would give one client's cookie to others", "leave out sticky.cookie, or the cache"
        )


def check_vary(names: list[str], where: Where, findings: Findings) -> None:
    first: dict[str, int] = {}
    for at, name in enumerate(names):
        lower = name.lower()
        if lower in first:
            findings.add((*where, at), f"{shown(name)} is listed twice", "keep one of them")
        elif lower == "host":
            findings.add((*where, at), "answers differ by host in any case", "leave it out")
        elif name == "*":
            findings.add((*where, at), "nothing could ever be given again", "name the headers")
        first.setdefault(lower, at)
