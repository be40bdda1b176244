"""What we ask Stripe for, and what it says came in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.money import Money

CREATE_INTENT = "create_intent"
CANCEL_INTENT = "cancel_intent"


@dataclass(frozen=True, slots=True)
class Received:
    """What Stripe says a PaymentIntent has brought."""

    payment_intent_id: str
    order_id: UUID | None
    amount: Money


@dataclass(frozen=True, slots=True)
class Attempt:
    """A POST to Stripe. Its id is the Idempotency-Key; `request` is sent word for word on every try."""

    id: UUID
    order_id: UUID
    operation: str
    request: Mapping[str, Any]
    state: str
    payment_intent_id: str | None
    created_at: datetime
    tries: int = 1  # with the one that is begun

    @property
    def was_tried(self) -> bool:
        """Whether it may have been sent before, by whoever leased it then."""
        return self.tries > 1

    @property
    def confirms(self) -> bool:
        """Whether it takes the money at once, with a ConfirmationToken or a saved card."""
        return self.request.get("confirm") is True


@dataclass(frozen=True, slots=True)
class Resync:
    """A payment to be looked at. `requests` counts the wishes: one that comes while we look is not answered yet."""

    payment_intent_id: str
    order_id: UUID
    reason: str
    requests: int
