"""What the shelf says."""

from typing import ClassVar

from shared.events.base import Event


class StockEvent(Event):
    """The available pieces of a SKU crossed a level. `number` counts its changes: a higher one is later."""

    sku: str
    number: int
    level: str  # enough, low (`low_at` or fewer), out
    available: int
    low_at: int


class StockLow(StockEvent):
    type: ClassVar[str] = "stock.low"


class StockOut(StockEvent):
    type: ClassVar[str] = "stock.out"


class StockBack(StockEvent):
    """Can be bought again after it was sold out, or is more than low again."""

    type: ClassVar[str] = "stock.back"
