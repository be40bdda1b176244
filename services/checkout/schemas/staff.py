"""What staff ask for: a change of stock, a refund."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from services.checkout.domain import Adjustment, Reason, Refund, RefundWanted, Stock
from services.checkout.schemas.fields import Incoming, Text


class AdjustStock(Incoming):
    """POST /v1/staff/stock/{sku}/adjustments. With `preview` nothing is changed."""

    by: int = Field(ge=-1_000_000, le=1_000_000)
    reason: Annotated[Reason, Field(strict=False)]
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
