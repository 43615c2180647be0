"""Why a request goes nowhere, and what its client is told."""

from enum import Enum
from typing import Final, final


class Reason(Enum):
    """Why a request is refused; what each means on the wire stands in `REFUSED`."""

    NO_ROUTE = "no_route"
    NO_ENDPOINT = "no_endpoint"
    INTERNAL = "internal"
    RATE_LIMITED = "rate_limited"
    MODEL_NOT_ALLOWED = "model_not_allowed"
    INVALID_REQUEST = "invalid_request"
    MAINTENANCE = "maintenance"
    REJECTED = "rejected"
    """For a reason in the words of the configuration."""
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    COUNTRY_NOT_ALLOWED = "country_not_allowed"
    HEADER_REQUIRED = "header_required"
    TOO_LARGE = "too_large"
    TYPE_NOT_ALLOWED = "type_not_allowed"
    BUDGET_EXCEEDED = "budget_exceeded"
    NO_HEALTHY_ENDPOINT = "no_healthy_endpoint"


REFUSED: Final[dict[Reason, tuple[int, str]]] = {
    Reason.NO_ROUTE: (404, "no route matches this request"),
    Reason.NO_ENDPOINT: (503, "no endpoint of this route may be picked"),
    Reason.INTERNAL: (500, "the routing decision failed"),
    Reason.RATE_LIMITED: (429, "too many requests"),
    Reason.MODEL_NOT_ALLOWED: (403, "this model is not allowed"),
    Reason.INVALID_REQUEST: (400, "the request is not valid"),
    Reason.MAINTENANCE: (503, "down for maintenance"),
    Reason.REJECTED: (403, "the request is refused"),
    Reason.ADDRESS_NOT_ALLOWED: (403, "requests from this address are not allowed"),
    Reason.COUNTRY_NOT_ALLOWED: (403, "requests from this country are not allowed"),
    Reason.HEADER_REQUIRED: (403, "a header that is required is missing or not accepted"),
    Reason.TOO_LARGE: (413, "the body is too large"),
    Reason.TYPE_NOT_ALLOWED: (415, "this content type is not allowed"),
    Reason.BUDGET_EXCEEDED: (402, "no endpoint is within the budget"),
    Reason.NO_HEALTHY_ENDPOINT: (503, "no endpoint of this route is healthy"),
}
"""The HTTP status and the sentence of each reason."""


@final
class Refusal:
    """The request goes nowhere. `route` names the route that had matched, `gate` the gate that refused.

    `status` 0 and an empty `message` are those of the reason. `body` is what the client reads in place of the
    reason as JSON.
    """

    def __init__(
        self,
        reason: Reason,
        route: str = "",
        *,
        gate: str = "",
        status: int = 0,
        message: str = "",
        body: str | None = None,
    ) -> None:
        self.reason: Final = reason
        self.route: Final = route
        self.gate: Final = gate
        self.status: Final = status or REFUSED[reason][0]
        self.message: Final = message or REFUSED[reason][1]
        self.body: Final = body
