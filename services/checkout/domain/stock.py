"""Which pieces an order takes, why stock may change otherwise, and when it has become short."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from services.checkout.domain.pricing import Line
from shared.errors import Conflict, Invalid


class OutOfStock(Conflict):
    code = "out_of_stock"
    title = "There are not enough pieces left"


class BelowReserved(Conflict):
    code = "below_reserved"
    title = "Fewer pieces than are promised to open orders can't be on hand"


class Reason(StrEnum):
    """Why the journal has a row. The first three come with an order; migrations/0005 says which signs they may have."""

    RESERVED = "reserved"
    RELEASED = "released"
    SOLD = "sold"
    IMPORT = "import"
    RECOUNT = "recount"  # somebody counted
    DAMAGE = "damage"
    LOSS = "loss"
    RETURN = "return"  # a customer sent it back, and it can be sold again
    DELIVERY = "delivery"  # from a supplier


# What a person may give as the reason of an adjustment, and whether it brings pieces (1), takes them (-1) or either.
ADJUSTMENTS = {Reason.RECOUNT: 0, Reason.DAMAGE: -1, Reason.LOSS: -1, Reason.RETURN: 1, Reason.DELIVERY: 1}


class Level(StrEnum):
    """How much is available: enough, few (the SKU's threshold or fewer), or nothing."""

    ENOUGH = "enough"
    LOW = "low"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class Stock:
    """What there is of a SKU. `low_at` available pieces, or fewer, are few."""

    sku: str
    on_hand: int
    reserved: int
    low_at: int

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What a person wants changed."""

    sku: str
    by: int
    reason: Reason
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the journal to be."""

    sku: str
    on_hand: int
    reserved: int


@dataclass(frozen=True, slots=True)
class Changed:
    """What a change did to the available pieces. `number` counts the SKU's changes."""

    sku: str
    number: int
    before: int
    after: int
    low_at: int


@dataclass(frozen=True, slots=True)
class Crossing:
    """A change that took a SKU from one level to another."""

    changed: Changed
    was: Level
    is_now: Level


def pieces(lines: Iterable[Line]) -> list[tuple[str, int]]:
    """How many pieces of each SKU, sorted: everybody locks stock in this order, so that nobody waits in a circle.

    Two lines of one SKU are added up first; checked one by one, each could be satisfied and both oversold.
    """
    wanted: dict[str, int] = {}
    for line in lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    return sorted(wanted.items())


def changes(reason: Reason, lines: Iterable[Line]) -> list[Change]:
    """What reserving, releasing or selling an order's lines does to stock."""
    on_hand, reserved = {Reason.RESERVED: (0, 1), Reason.RELEASED: (0, -1), Reason.SOLD: (-1, -1)}[reason]
    return [Change(sku, on_hand * quantity, reserved * quantity) for sku, quantity in pieces(lines)]


def level(available: int, low_at: int) -> Level:
    if available <= 0:
        return Level.OUT
    return Level.LOW if available <= low_at else Level.ENOUGH


def crossing(changed: Changed) -> Crossing | None:
    """The level that was crossed, once: the next change starts from where this one ended."""
    was, is_now = level(changed.before, changed.low_at), level(changed.after, changed.low_at)
    return None if was is is_now else Crossing(changed, was, is_now)


def adjustment(wanted: Adjustment) -> Change:
    """The change that a person asks for; raises Invalid when the reason contradicts its sign."""
    by, reason = wanted.by, wanted.reason
    sign = ADJUSTMENTS.get(reason)
    if sign is None:
        raise Invalid(f"the reason has to be one of: {', '.join(ADJUSTMENTS)}", field="reason")
    if by == 0:
        raise Invalid("a change by nothing is none", field="by")
    if sign and (by > 0) != (sign > 0):
        raise Invalid(f"{reason} {'brings' if sign > 0 else 'takes'} pieces", field="by")
    return Change(wanted.sku, by, 0)
