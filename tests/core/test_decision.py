"""The two answers, and the table of what each refusal means on the wire."""

import pytest

from sidecar.core.refusal import REFUSED, Reason, Refusal


def test_every_reason_has_a_status_and_a_sentence() -> None:
    assert set(REFUSED) == set(Reason)


@pytest.mark.parametrize("reason", list(Reason))
def test_a_refusal_tells_its_reason_as_an_error_status_and_a_sentence(reason: Reason) -> None:
    refusal = Refusal(reason, "checkout")

    assert 400 <= refusal.status <= 599
    assert refusal.message
    assert (refusal.reason, refusal.route) == (reason, "checkout")
    assert (refusal.status, refusal.message) == REFUSED[reason]
