"""The changes of a request's headers that a decision asks for, as one, for both wires."""

from sidecar.core.decision import Decision
from sidecar.core.plan import HeaderChanges


def request_changes(decision: Decision) -> HeaderChanges:
    """Those of the steps and then of the route. What an earlier one had set a later one may remove.

    Whoever carries them out removes first, then sets, then adds; so that has its effect here already.
    """
    if not decision.steps:
        return decision.route.request_headers
    removed: dict[str, None] = {}
    values: dict[str, str] = {}
    added: list[tuple[str, str]] = []
    for route in (*decision.steps, decision.route):
        changes = route.request_headers
        gone = {*changes.remove, *(name for name, _ in changes.set)}
        added = [pair for pair in added if pair[0] not in gone]
        for name in changes.remove:
            values.pop(name, None)
            removed[name] = None
        values.update(changes.set)
        added.extend(changes.add)
    return HeaderChanges(tuple(values.items()), tuple(added), tuple(removed))
