"""Whether a service can ask Stripe for something."""

from typing import ClassVar

from shared.events.base import Event


class StripeCircuitEvent(Event):
    """Seen by one process of a service."""

    service: str
    instance: str


class StripeCircuitOpened(StripeCircuitEvent):
    """Stripe failed so often that it is left alone for a while."""

    type: ClassVar[str] = "stripe.circuit_opened"

    failures: int


class StripeCircuitClosed(StripeCircuitEvent):
    """Stripe answers again."""

    type: ClassVar[str] = "stripe.circuit_closed"
