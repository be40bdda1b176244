"""Comparing ourselves with Stripe."""

from typing import ClassVar
from uuid import UUID

from shared.events.base import Event


class ReconciliationBegan(Event):
    """Checkout compares itself with Stripe; webhooks looks for undelivered events at once."""

    type: ClassVar[str] = "reconciliation.began"

    run_id: UUID


class ReconciliationEventsFetched(Event):
    """Webhooks has looked: so many undelivered events are listed at Stripe, and so many of them were new here.

    `is_complete` is false when it has no key to ask with.
    """

    type: ClassVar[str] = "reconciliation.events_fetched"

    run_id: UUID
    listed: int
    fetched: int
    is_complete: bool = True


class ReconciliationFinished(Event):
    """A run that found something is over: how much it put right, and how much waits for a person."""

    type: ClassVar[str] = "reconciliation.finished"

    run_id: UUID
    repaired: int
    raised: int
