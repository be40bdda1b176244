"""What a basket costs, and an order: as a client sends it, and as its customer sees it."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from services.checkout.domain import Basket, Line, Parcel, Parts, Quote, Wanted, WholeOrder, reading
from services.checkout.schemas.fields import (
    ConfirmationToken,
    Country,
    Currency,
    Email,
    Incoming,
    PageUrl,
    PaymentMethodId,
    ShippingMethod,
    Sku,
    Text,
)


class LineIn(Incoming):
    sku: Sku
    quantity: int = Field(ge=1, le=99)


class AddressIn(Incoming):
    name: Text = Field(examples=["Ada Lovelace"])
    line1: Text = Field(examples=["12 St James Square"])
    line2: Text | None = None
    city: Text = Field(examples=["London"])
    region: Text | None = None
    postal_code: Annotated[
        str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Za-z0-9 -]{2,12}$"), Field(examples=["SW1Y 4JH"])
    ]
    country: Country


OPTIONAL = (
    "shipping_method",
    "expected_total_minor",
    "confirmation_token",
    "payment_method",
    "save_payment_method",
    "consent_version",
    "return_url",
)


class PlaceOrder(Incoming):
    """An order as it is placed. There is no amount in it: what an order costs is decided here."""

    email: Email
    locale: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")] = "en"
    currency: Currency = "usd"
    lines: Annotated[list[LineIn], Field(min_length=1, max_length=50)]
    shipping_address: AddressIn
    shipping_method: ShippingMethod | None = None
    # What the page showed. It decides nothing: when it is not the total any more, nothing is ordered.
    expected_total_minor: int | None = Field(default=None, ge=0)

    # To pay in the same step: made by Stripe.js from what was typed, good for one use.
    confirmation_token: ConfirmationToken | None = None
    # Or a saved card of the shopper who is signed in.
    payment_method: PaymentMethodId | None = None
    # Whether the new card is kept for the shopper who is signed in, and the version of the text that he agreed to.
    save_payment_method: bool = False
    consent_version: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,60}$")] | None = None
    # Where a bank sends the customer back to: a page of the shop.
    return_url: PageUrl | None = None

    def return_origin(self) -> str:
        """`https://shop.example` of `https://shop.example/order?id=1`."""
        return "/".join((self.return_url or "").split("/")[:3])

    def as_text(self) -> str:
        """What tells one order from another under the same key. What isn't given leaves it as it always was."""
        return self.model_dump_json(exclude={name for name in OPTIONAL if not self._is_given(name)})

    def _is_given(self, name: str) -> bool:
        given = getattr(self, name)
        return given is not None and given is not False

    def needs_sign_in(self) -> bool:
        """Whether it is about saved cards."""
        return self.save_payment_method or self.payment_method is not None

    def wanted(self) -> list[Wanted]:
        return [Wanted(line.sku, line.quantity) for line in self.lines]


class AskQuote(Incoming):
    """A basket, and where it shall go."""

    currency: Currency = "usd"
    lines: Annotated[list[LineIn], Field(min_length=1, max_length=50)]
    country: Country
    region: Text | None = None
    shipping_method: ShippingMethod | None = None

    def basket(self) -> Basket:
        wanted = [Wanted(line.sku, line.quantity) for line in self.lines]
        return Basket(wanted, self.currency, self.country, self.region, self.shipping_method)


class LineOut(BaseModel):
    sku: str
    name: str
    variant: str
    quantity: int
    unit_price_minor: int
    line_total_minor: int
    tax_minor: int
    tax_percent: str
    tax_included: bool

    @classmethod
    def of(cls, line: Line) -> "LineOut":
        return cls(
            tax_minor=line.tax_minor,
            tax_percent=line.tax_rate.percent,
            tax_included=line.tax_rate.is_included,
            sku=line.sku,
            name=line.name,
            variant=line.variant,
            quantity=line.quantity,
            unit_price_minor=line.unit_price.amount_minor,
            line_total_minor=line.total.amount_minor,
        )


class AmountsOut(BaseModel):
    """total = subtotal + shipping + tax_added; tax is all of the tax, also what the prices contain."""

    currency: str
    subtotal_minor: int
    shipping_minor: int
    tax_minor: int
    tax_added_minor: int
    total_minor: int
    shipping_method: str
    shipping_name: str


def amounts(parts: Parts) -> dict[str, Any]:
    """The fields of AmountsOut."""
    return {
        "currency": parts.subtotal.currency,
        "subtotal_minor": parts.subtotal.amount_minor,
        "shipping_minor": parts.shipping.amount_minor,
        "tax_minor": parts.tax.amount_minor,
        "tax_added_minor": parts.tax_added.amount_minor,
        "total_minor": parts.total.amount_minor,
        "shipping_method": parts.shipping_method,
        "shipping_name": parts.shipping_name,
    }


class ShippingOptionOut(BaseModel):
    id: str
    name: str
    price_minor: int


class QuoteOut(AmountsOut):
    """What a basket costs, and the ways in which it could be sent, the default first."""

    lines: list[LineOut]
    shipping_options: list[ShippingOptionOut]

    @classmethod
    def of(cls, quote: Quote) -> "QuoteOut":
        return cls(
            **amounts(quote.parts),
            lines=[LineOut.of(line) for line in quote.lines],
            shipping_options=[
                ShippingOptionOut(id=each.id, name=each.name, price_minor=each.price.amount_minor)
                for each in quote.options
            ],
        )


class ParcelOut(BaseModel):
    """A parcel as its customer sees it. `lines` are pieces by the position of their line in the order."""

    id: UUID
    carrier: str
    tracking_number: str | None
    tracking_url: str | None
    state: str
    shipped_at: datetime
    delivered_at: datetime | None
    returned_at: datetime | None
    lines: dict[str, int]

    @classmethod
    def of(cls, parcel: Parcel) -> "ParcelOut":
        fields = {name: getattr(parcel, name) for name in cls.model_fields}
        return cls(**{**fields, "lines": {str(at): quantity for at, quantity in parcel.lines.items()}})


class OrderOut(AmountsOut):
    """An order as its customer sees it; neither the email nor the address is in it, since a link can be forwarded."""

    id: UUID
    number: str
    reading: str  # all of the following in a few words, for people
    payment: str
    fulfilment: str
    dispute: str
    held: bool
    refunded_minor: int
    lines: list[LineOut]
    parcels: list[ParcelOut]
    placed_at: datetime
    reserved_until: datetime

    @classmethod
    def of(cls, whole: WholeOrder) -> "OrderOut":
        order = whole.order
        return cls(
            id=order.id,
            number=order.number,
            reading=reading(order),
            payment=order.payment,
            fulfilment=order.fulfilment,
            dispute=order.dispute,
            held=order.hold != "none",
            **amounts(order.parts),
            refunded_minor=order.refunded_minor,
            lines=[LineOut.of(line) for line in whole.lines],
            parcels=[ParcelOut.of(parcel) for parcel in whole.parcels],
            placed_at=order.placed_at,
            reserved_until=order.reserved_until,
        )


class PlacedOrder(BaseModel):
    """What a page needs to let the customer pay and to look at the order later.

    `payment_status` is the PaymentIntent's: with `requires_action` the page goes on with Stripe.js and the client
    secret, with `requires_payment_method` it asks for another card; `payment_failure` says why, after a refusal.
    """

    order: OrderOut
    order_token: str
    payment_intent_id: str
    payment_status: str
    payment_failure: str | None
    client_secret: str
    publishable_key: str
