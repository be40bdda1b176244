"""HTTP bodies of checkout, in and out."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.checkout.domain import Line, Order, Refund, RefundWanted, Wanted, reading
from shared.money import EXPONENTS

# No control characters: PostgreSQL refuses NUL, and a newline has no place in a name or a mail header.
Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")
]
# Deliberately loose: the only real check of an address is a mail that arrives. What could end a header, start another
# address or need quoting is refused.
_LOCAL = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
Email = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=254, pattern=rf"^{_LOCAL}@{_LABEL}(\.{_LABEL})+$")
]
Currency = Annotated[str, StringConstraints(pattern=f"^({'|'.join(sorted(EXPONENTS))})$")]


class Incoming(BaseModel):
    """A field we don't know is refused: a client that sends a price must learn that it counts for nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class LineIn(Incoming):
    sku: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9-]{1,40}$")]
    quantity: int = Field(ge=1, le=99)


class AddressIn(Incoming):
    name: Text
    line1: Text
    line2: Text | None = None
    city: Text
    region: Text | None = None
    postal_code: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Za-z0-9 -]{2,12}$")]
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class PlaceOrder(Incoming):
    """POST /v1/orders. There is no amount in it: what an order costs is decided here."""

    email: Email
    locale: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")] = "en"
    currency: Currency = "usd"
    lines: Annotated[list[LineIn], Field(min_length=1, max_length=50)]
    shipping_address: AddressIn

    def wanted(self) -> list[Wanted]:
        return [Wanted(line.sku, line.quantity) for line in self.lines]


class RefundIn(Incoming):
    """PUT /v1/staff/orders/{id}/refunds/{refund_id}: all that is left, an amount, or pieces of lines."""

    reason: Annotated[Text, StringConstraints(max_length=500)]
    amount_minor: int | None = Field(default=None, gt=0)
    lines: dict[Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}$")], Annotated[int, Field(gt=0)]] | None = None
    restock: bool = False
    payment_intent_id: Annotated[str, StringConstraints(pattern=r"^pi_[A-Za-z0-9_]{1,250}$")] | None = None

    def wanted(self, refund_id: UUID) -> RefundWanted:
        lines = None if self.lines is None else {int(at): quantity for at, quantity in self.lines.items()}
        return RefundWanted(refund_id, self.reason, self.amount_minor, lines, self.restock, self.payment_intent_id)


class RefundOut(BaseModel):
    id: UUID
    state: str
    amount_minor: int
    currency: str
    reason: str

    @classmethod
    def of(cls, refund: Refund) -> "RefundOut":
        return cls(**{name: getattr(refund, name) for name in cls.model_fields})


class MoneyOut(BaseModel):
    amount_minor: int
    currency: str


class LineOut(BaseModel):
    sku: str
    name: str
    variant: str
    quantity: int
    unit_price_minor: int
    line_total_minor: int

    @classmethod
    def of(cls, line: Line) -> "LineOut":
        return cls(
            sku=line.sku,
            name=line.name,
            variant=line.variant,
            quantity=line.quantity,
            unit_price_minor=line.unit_price.amount_minor,
            line_total_minor=line.total.amount_minor,
        )


class OrderOut(BaseModel):
    """An order as its customer sees it; neither the email nor the address is in it, since a link can be forwarded."""

    id: UUID
    number: str
    reading: str  # all of the following in a few words, for people
    payment: str
    fulfilment: str
    dispute: str
    held: bool
    currency: str
    total_minor: int
    refunded_minor: int
    lines: list[LineOut]
    placed_at: datetime
    reserved_until: datetime

    @classmethod
    def of(cls, order: Order, lines: list[Line]) -> "OrderOut":
        return cls(
            id=order.id,
            number=order.number,
            reading=reading(order),
            payment=order.payment,
            fulfilment=order.fulfilment,
            dispute=order.dispute,
            held=order.hold != "none",
            currency=order.total.currency,
            total_minor=order.total.amount_minor,
            refunded_minor=order.refunded_minor,
            lines=[LineOut.of(line) for line in lines],
            placed_at=order.placed_at,
            reserved_until=order.reserved_until,
        )


class PlacedOrder(BaseModel):
    """The answer to POST /v1/orders: what a page needs to let the customer pay and to look at the order later."""

    order: OrderOut
    order_token: str
    payment_intent_id: str
    client_secret: str
    publishable_key: str


class VariantOut(BaseModel):
    sku: str
    size: str
    colour: str
    unit_price_minor: int
    available: int


class ProductOut(BaseModel):
    id: str
    name: str
    category: str
    description: str
    variants: list[VariantOut]


class ProductsOut(BaseModel):
    currency: str
    products: list[ProductOut]
