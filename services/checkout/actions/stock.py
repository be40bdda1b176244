"""Moving stock: for an order, and by people. Whoever takes the last piece says so."""

from uuid import UUID

import asyncpg

from services.checkout import domain
from services.checkout.domain import Adjustment, BelowReserved, Change, Changed, Level, Line, OutOfStock, Reason, Stock
from services.checkout.store import stock as store
from services.checkout.store.stock import Cause
from shared import outbox
from shared.audit import audit
from shared.db import Connection, Pool
from shared.errors import NotFound
from shared.events import StockBack, StockEvent, StockLow, StockOut
from shared.metrics import counter

CHANGES = counter("checkout_stock_changes_total", "Changes of stock, by reason.", ("reason",))

ACTOR = "checkout"


async def reserve(conn: Connection, order_id: UUID, lines: list[Line]) -> None:
    """Promises all pieces of an order to it, or none. Raises OutOfStock naming the line that wants too many."""
    wanted = domain.pieces(lines)
    there = await store.select_stock(conn, [sku for sku, _ in wanted])
    for sku, quantity in wanted:  # most who come too late learn it here, before they queue for the row
        if sku not in there or there[sku].available < quantity:
            raise _out_of_stock(sku, lines)
    try:
        await move(conn, order_id, Reason.RESERVED, lines)
    except asyncpg.CheckViolationError as error:
        raise _out_of_stock(short_sku(error), lines) from error


async def move(conn: Connection, order_id: UUID, reason: Reason, lines: list[Line]) -> None:
    """Reserves, releases or sells the pieces of an order; the caller holds the order."""
    await change(conn, domain.changes(reason, lines), Cause(reason, ACTOR, order_id))


async def adjust(pool: Pool, wanted: Adjustment, actor: str, *, is_preview: bool = False) -> tuple[Stock, Stock]:
    """Changes what is on hand, and answers how it stood and how it stands. A preview changes nothing.

    Raises NotFound, Invalid for a reason that contradicts its sign, BelowReserved.
    """
    asked = domain.adjustment(wanted)
    async with pool.worker() as conn:
        before = await _stock_of(conn, wanted.sku)
        if before.on_hand + wanted.by < before.reserved:
            raise _below_reserved(before)
        after = Stock(before.sku, before.on_hand + wanted.by, before.reserved, before.low_at)
        if is_preview:
            return before, after
        try:
            [changed] = await change(conn, [asked], Cause(wanted.reason, actor, note=wanted.note))
        except asyncpg.CheckViolationError as error:
            short_sku(error)
            raise _below_reserved(before) from error
        after = await _stock_of(conn, wanted.sku)
        details: dict[str, object] = {"by": wanted.by, "number": changed.number, "on_hand": after.on_hand}
        reason = wanted.reason if wanted.note is None else f"{wanted.reason}: {wanted.note}"
        await audit(
            conn, actor=actor, action="stock.adjust", subject=f"sku {wanted.sku}", reason=reason, details=details
        )
        return before, after


async def change(conn: Connection, changes: list[Change], cause: Cause) -> list[Changed]:
    """Makes the changes and announces what has become short. Raises as `store.stock.change_stock` does."""
    changed = await store.change_stock(conn, changes, cause)
    CHANGES.labels(reason=cause.reason).inc(len(changed))
    if cause.reason is not Reason.IMPORT:  # the first pieces of a new SKU are no news
        await _announce(conn, changed)
    return changed


async def _announce(conn: Connection, changed: list[Changed]) -> None:
    """Stages an event for each SKU that crossed a level: once, since changes of a SKU happen one after another."""
    for each in changed:
        if crossing := domain.crossing(each):
            await outbox.stage(conn, _event(crossing))


def _event(crossing: domain.Crossing) -> StockEvent:
    changed = crossing.changed
    kind: type[StockEvent] = {Level.OUT: StockOut, Level.LOW: StockLow, Level.ENOUGH: StockBack}[crossing.is_now]
    if crossing.was is Level.OUT:
        kind = StockBack
    return kind(
        sku=changed.sku, number=changed.number, level=crossing.is_now, available=changed.after, low_at=changed.low_at
    )


async def _stock_of(conn: Connection, sku: str) -> Stock:
    found = await store.select_stock(conn, [sku])
    if sku not in found:
        raise NotFound(f"there is no SKU {sku}")
    return found[sku]


def short_sku(error: asyncpg.CheckViolationError) -> str:
    """Which SKU there is too little of; any other violated constraint is a bug, and stays what it is."""
    if error.constraint_name != store.OVERSOLD_CONSTRAINT:
        raise error
    return str(error.detail)


def _out_of_stock(sku: str, lines: list[Line]) -> OutOfStock:
    quantity = sum(line.quantity for line in lines if line.sku == sku)
    position = next(i for i, line in enumerate(lines) if line.sku == sku)
    return OutOfStock(f"fewer than {quantity} pieces of {sku} are left", field=f"lines.{position}.quantity")


def _below_reserved(stock: Stock) -> BelowReserved:
    return BelowReserved(
        f"{stock.on_hand} pieces of {stock.sku} are on hand and {stock.reserved} of them are promised to open orders; "
        f"at most {stock.available} can be taken away until those are paid or expire",
        field="by",
    )
