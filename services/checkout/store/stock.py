"""SQL of stock. Its journal is the only way to change it: a row there is the change (migrations/0005)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.checkout.domain import Change, Changed, Reason, Stock
from shared.db import Connection
from shared.ids import uuid7

# The constraint that says so when a change would promise more than there is.
OVERSOLD_CONSTRAINT = "stock_not_oversold"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why stock changes, and by whose doing."""

    reason: Reason
    actor: str
    order_id: UUID | None = None
    note: str | None = None


async def select_stock(conn: Connection, skus: Sequence[str]) -> dict[str, Stock]:
    """How things stand, without a lock: an answer that may be old already."""
    rows = await conn.fetch("SELECT sku, on_hand, reserved, low_at FROM stock WHERE sku = ANY($1::text[])", skus)
    return {row["sku"]: Stock(**row) for row in rows}


async def change_stock(conn: Connection, changes: Sequence[Change], cause: Cause) -> list[Changed]:
    """Makes all changes, each SKU once, in one statement. The rows are locked in the order of their SKUs.

    Raises CheckViolationError with OVERSOLD_CONSTRAINT, and the SKU as its detail, when one is impossible: then the
    transaction is over.
    """
    ordered = sorted(changes, key=lambda change: change.sku)
    rows = await conn.fetch(
        """
        WITH journalled AS (
            INSERT INTO stock_journal (id, sku, on_hand_change, reserved_change, reason, order_id, actor, note)
            SELECT id, sku, on_hand, reserved, $5, $6, $7, $8
            FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[])
                WITH ORDINALITY AS w (id, sku, on_hand, reserved, position) ORDER BY position
            RETURNING sku, number, available_after - on_hand_change + reserved_change AS before, available_after)
        SELECT sku, number, before, available_after AS after, low_at FROM journalled JOIN stock USING (sku)
        """,
        [uuid7() for _ in ordered],
        [change.sku for change in ordered],
        [change.on_hand for change in ordered],
        [change.reserved for change in ordered],
        cause.reason,
        cause.order_id,
        cause.actor,
        cause.note,
    )
    return [Changed(**row) for row in rows]


async def insert_stock(conn: Connection, sku: str, low_at: int = 0) -> bool:
    """Gives a new SKU its place on the shelf, empty; false when it has one."""
    status = await conn.execute("INSERT INTO stock (sku, low_at) VALUES ($1, $2) ON CONFLICT DO NOTHING", sku, low_at)
    return status == "INSERT 0 1"


async def update_low_at(conn: Connection, sku: str, low_at: int) -> None:
    await conn.execute("UPDATE stock SET low_at = $2 WHERE sku = $1", sku, low_at)
