"""What checkout decided about an order, self-contained for a mail."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from shared.events.base import Event, Part
from shared.money import Money


class OrderLine(Part):
    sku: str
    name: str
    variant: str
    quantity: int
    unit_price_minor: int
    line_total_minor: int


class Address(Part):
    name: str
    line1: str
    line2: str | None = None
    city: str
    region: str | None = None
    postal_code: str
    country: str


class OrderFacts(Part):
    """An order as a mail needs it."""

    order_id: UUID
    number: str
    email: str
    locale: str
    currency: str
    total_minor: int
    # Of what the total is made: subtotal + shipping + tax_added. tax is all of the tax, also what prices contain.
    # An event from before orders had parts has none of them.
    subtotal_minor: int | None = None
    shipping_minor: int | None = None
    shipping_name: str | None = None
    tax_minor: int | None = None
    tax_added_minor: int | None = None
    lines: tuple[OrderLine, ...]
    shipping_address: Address

    @property
    def total(self) -> Money:
        return Money(self.total_minor, self.currency)


class OrderEvent(Event):
    """Something that became true of an order."""

    order: OrderFacts


class OrderPlaced(OrderEvent):
    type: ClassVar[str] = "order.placed"


class OrderPaid(OrderEvent):
    type: ClassVar[str] = "order.paid"


class OrderPaymentFailed(OrderEvent):
    """One payment try was refused. `failure_id` names the try: a second decline is a second fact."""

    type: ClassVar[str] = "order.payment_failed"

    failure_id: str
    category: str
    reserved_until: datetime


class OrderExpired(OrderEvent):
    type: ClassVar[str] = "order.expired"


class OrderHeld(OrderEvent):
    """Something stands against the order: somebody must look before anything (more) is sent.

    `fulfilment` says what was sent before. An event from before there were parcels doesn't have it.
    """

    type: ClassVar[str] = "order.held"

    reason: str
    fulfilment: str = "none"


class OrderReleased(OrderEvent):
    """Nothing stands against the order any more. `reason` is what had held it."""

    type: ClassVar[str] = "order.released"

    reason: str


class RefundFacts(Part):
    """A refund as a mail needs it. `reason` is staff's, or why it was made by itself; it is not for customers.

    `settles` says that it is of the payment that settled the order, and not of money that the order did not need.
    """

    refund_id: UUID
    amount_minor: int
    currency: str
    reason: str
    is_automatic: bool
    settles: bool = True

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)


class OrderRefunded(OrderEvent):
    """Stripe has given the money back. `refunded_minor` is what was given back of the order's own payment so far."""

    type: ClassVar[str] = "order.refunded"

    refund: RefundFacts
    refunded_minor: int


class OrderRefundFailed(OrderEvent):
    """The money did not reach the customer, possibly after it had seemed so: somebody must find another way."""

    type: ClassVar[str] = "order.refund_failed"

    refund: RefundFacts
    failure_reason: str


class ParcelLine(Part):
    sku: str
    name: str
    variant: str
    quantity: int


class ParcelFacts(Part):
    """A parcel as a mail needs it. `tracking_url` is the carrier's page about it, where we know that."""

    parcel_id: UUID
    carrier: str
    tracking_number: str | None = None
    tracking_url: str | None = None
    lines: tuple[ParcelLine, ...]


class ParcelEvent(OrderEvent):
    """`fulfilment` is where the goods of the whole order are now: part_shipped, shipped, delivered, returned."""

    parcel: ParcelFacts
    fulfilment: str


class OrderShipped(ParcelEvent):
    """A parcel of the order was handed to a carrier; an order may have several."""

    type: ClassVar[str] = "order.shipped"


class OrderDelivered(ParcelEvent):
    """A parcel of the order reached the customer."""

    type: ClassVar[str] = "order.delivered"


class OrderReturned(ParcelEvent):
    """A parcel of the order came back to us."""

    type: ClassVar[str] = "order.returned"


class OrderFraudWarned(OrderEvent):
    """The bank of the card warns that its owner did not pay: a person decides whether to refund or to send."""

    type: ClassVar[str] = "order.fraud_warned"

    warning_id: str
    fraud_type: str
    fulfilment: str


class OrderDisputed(OrderEvent):
    """The dispute that the order shows has changed (inquiry, open, won, lost, closed), or by when to answer it."""

    type: ClassVar[str] = "order.disputed"

    dispute: str
    due_at: datetime | None = None  # None: there is nothing to answer, or it was answered
