"""The way on which Stripe's events reach us."""

from datetime import datetime
from typing import ClassVar

from shared.events.base import Event


class WebhookVersionUnexpected(Event):
    """Stripe's events come in another API version than the one we expect. At most one an hour and version."""

    type: ClassVar[str] = "webhooks.version_unexpected"

    received_version: str | None
    expected_version: str
    stripe_event_id: str


class WebhookBackfilled(Event):
    """Events that Stripe could not deliver were fetched. The times are those at which Stripe made them."""

    type: ClassVar[str] = "webhook.backfilled"

    events: int
    oldest: datetime
    newest: datetime


class WebhookEndpointSilent(Event):
    """No event came for longer than is usual at this time of the week."""

    type: ClassVar[str] = "webhook.endpoint_silent"

    heard_at: datetime
    expected: float


class WebhookEndpointHeard(Event):
    """The silence is over."""

    type: ClassVar[str] = "webhook.endpoint_heard"


class WebhookEndpointDisabled(Event):
    """Stripe has no enabled endpoint for us: nothing is delivered. `problems` names why."""

    type: ClassVar[str] = "webhook.endpoint_disabled"

    problems: tuple[str, ...]


class WebhookEndpointMisconfigured(Event):
    """Stripe's endpoint for us delivers, but not what we need, or not as we read it."""

    type: ClassVar[str] = "webhook.endpoint_misconfigured"

    problems: tuple[str, ...]


class WebhookEndpointMended(Event):
    """Stripe's endpoint for us is as it must be again."""

    type: ClassVar[str] = "webhook.endpoint_mended"
