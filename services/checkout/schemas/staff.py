"""What staff ask for: a change of stock, a refund, a parcel."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, WithJsonSchema

from services.checkout.domain import (
    ADJUSTMENTS,
    Adjustment,
    Order,
    Parcel,
    ParcelState,
    ParcelWanted,
    Reason,
    Refund,
    RefundWanted,
    Stock,
    Tally,
    reading,
)
from services.checkout.schemas.fields import Incoming, Text
from services.checkout.schemas.orders import ParcelOut

Reasoned = Annotated[Text, StringConstraints(max_length=500), Field(examples=["the customer asked for it"])]
# Pieces by the position of their line: {"0": 2} is two pieces of the first line.
Pieces = dict[
    Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,2})$")], Annotated[int, Field(gt=0, lt=2**31)]
]


class AdjustStock(Incoming):
    """A change of what is on hand. With `preview` nothing is changed."""

    by: int = Field(ge=-1_000_000, le=1_000_000)
    reason: Annotated[Reason, Field(strict=False), WithJsonSchema({"type": "string", "enum": [*ADJUSTMENTS]})]
    note: Text | None = None
    preview: bool = False

    def adjustment(self, sku: str) -> Adjustment:
        return Adjustment(sku, self.by, self.reason, self.note)


class StockOut(BaseModel):
    on_hand: int
    reserved: int
    available: int

    @classmethod
    def of(cls, stock: Stock) -> "StockOut":
        return cls(on_hand=stock.on_hand, reserved=stock.reserved, available=stock.available)


class AdjustedStock(BaseModel):
    sku: str
    changed: bool
    before: StockOut
    after: StockOut

    @classmethod
    def of(cls, before: Stock, after: Stock, *, is_preview: bool) -> "AdjustedStock":
        return cls(sku=before.sku, changed=not is_preview, before=StockOut.of(before), after=StockOut.of(after))


class RefundIn(Incoming):
    """What is given back: all that is left, an amount, or pieces of lines (by position, the first is 0)."""

    reason: Reasoned
    amount_minor: int | None = Field(default=None, gt=0)
    lines: Pieces | None = None
    restock: bool = False
    payment_intent_id: Annotated[str, StringConstraints(pattern=r"^pi_[A-Za-z0-9_]{1,250}$")] | None = None

    def wanted(self, refund_id: UUID) -> RefundWanted:
        return RefundWanted(
            refund_id, self.reason, self.amount_minor, by_position(self.lines), self.restock, self.payment_intent_id
        )


class RefundOut(BaseModel):
    id: UUID
    state: str
    amount_minor: int
    currency: str
    reason: str

    @classmethod
    def of(cls, refund: Refund) -> "RefundOut":
        return cls(**{name: getattr(refund, name) for name in cls.model_fields})


class ReleaseIn(Incoming):
    """What holds the order has been dealt with."""

    reason: Reasoned


class StandingOut(BaseModel):
    """How an order stands; `hold` is what still stands against it, or none."""

    number: str
    reading: str
    hold: str

    @classmethod
    def of(cls, order: Order) -> "StandingOut":
        return cls(number=order.number, reading=reading(order), hold=order.hold)


class ParcelIn(Incoming):
    """What was packed; without lines, all that is left to send."""

    carrier: Annotated[Text, StringConstraints(max_length=60), Field(examples=["DHL"])]
    tracking_number: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 -]{2,58}[A-Za-z0-9]$")] | None
    ) = None
    lines: Annotated[Pieces, Field(min_length=1)] | None = None
    reason: Reasoned | None = None

    def wanted(self, parcel_id: UUID) -> ParcelWanted:
        # Carriers print numbers in groups, and their pages want them without.
        number = self.tracking_number.replace(" ", "") if self.tracking_number else None
        return ParcelWanted(parcel_id, self.carrier, number, by_position(self.lines), self.reason)


class ParcelStateIn(Incoming):
    """What became of a parcel."""

    state: Literal["delivered", "returned"]
    reason: Reasoned

    def to(self) -> ParcelState:
        return ParcelState(self.state)


class PiecesOut(BaseModel):
    """Where the pieces of a line are; `left` are still to be sent."""

    ordered: int
    sent: int
    refunded: int
    left: int

    @classmethod
    def of(cls, tally: Tally) -> "PiecesOut":
        return cls(ordered=tally.ordered, sent=tally.sent, refunded=tally.refunded, left=tally.left)


class ParcelsOut(BaseModel):
    """What was sent of an order, and what is left: `pieces` by line."""

    payment: str
    fulfilment: str
    hold: str
    pieces: list[PiecesOut]
    parcels: list[ParcelOut]

    @classmethod
    def of(cls, order: Order, parcels: Sequence[Parcel], tallies: Sequence[Tally]) -> "ParcelsOut":
        return cls(
            payment=order.payment,
            fulfilment=order.fulfilment,
            hold=order.hold,
            pieces=[PiecesOut.of(tally) for tally in tallies],
            parcels=[ParcelOut.of(parcel) for parcel in parcels],
        )


def by_position(pieces: Pieces | None) -> dict[int, int] | None:
    """Pieces as the domain counts them."""
    return None if pieces is None else {int(at): quantity for at, quantity in pieces.items()}
