"""SQL of orders, their lines and their timeline."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import orjson

from services.checkout.domain import DisputeState, Fulfilment, Hold, Line, Order, Parts, PaymentState, Rate, Tax
from shared import tracing
from shared.db import Connection
from shared.errors import NotFound
from shared.ids import uuid7
from shared.money import Money

NUMBER_CONSTRAINT = "orders_number_unique"


async def insert_order(conn: Connection, order: Order) -> None:
    await conn.execute(
        """
        INSERT INTO orders (id, number, email, locale, currency, total_minor, shipping_address,
                            reserved_until, expiry_due_at, placed_at, subtotal_minor, shipping_minor, tax_minor,
                            tax_added_minor, shipping_tax_minor, shipping_tax_included, shipping_method, shipping_name,
                            customer_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
        """,
        order.id,
        order.number,
        order.email,
        order.locale,
        order.total.currency,
        order.total.amount_minor,
        orjson.dumps(order.shipping_address).decode(),
        order.reserved_until,
        order.placed_at,
        order.parts.subtotal.amount_minor,
        order.parts.shipping.amount_minor,
        order.parts.tax.amount_minor,
        order.parts.tax_added.amount_minor,
        order.parts.shipping_tax.amount.amount_minor,
        order.parts.shipping_tax.rate.is_included,
        order.parts.shipping_method,
        order.parts.shipping_name,
        order.customer_id,
    )


async def insert_lines(conn: Connection, order_id: UUID, lines: Sequence[Line]) -> None:
    await conn.executemany(
        """
        INSERT INTO order_lines (order_id, position, sku, name, variant, quantity, unit_price_minor,
                                 tax_minor, tax_millionths, tax_included)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        [
            (
                order_id,
                position,
                line.sku,
                line.name,
                line.variant,
                line.quantity,
                line.unit_price.amount_minor,
                line.tax_minor,
                line.tax_rate.millionths,
                line.tax_rate.is_included,
            )
            for position, line in enumerate(lines)
        ],
    )


async def select_order(conn: Connection, order_id: UUID) -> Order:
    """Raises NotFound."""
    return _order(await conn.fetchrow("SELECT * FROM orders WHERE id = $1", order_id), order_id)


async def select_order_for_update(conn: Connection, order_id: UUID) -> Order:
    """The order, for this transaction alone to move. Raises NotFound.

    NO KEY: who writes a row that refers to the order, as a request does with the payment it made, need not wait. He
    would hold what we want next, and the two of us would wait in a circle.
    """
    return _order(await conn.fetchrow("SELECT * FROM orders WHERE id = $1 FOR NO KEY UPDATE", order_id), order_id)


async def select_known(conn: Connection, order_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the ids that are of orders of this shop."""
    rows = await conn.fetch("SELECT id FROM orders WHERE id = ANY($1::uuid[])", order_ids)
    return {row["id"] for row in rows}


async def select_lines(conn: Connection, order: Order) -> list[Line]:
    rows = await conn.fetch("SELECT * FROM order_lines WHERE order_id = $1 ORDER BY position", order.id)
    currency = order.total.currency
    return [
        Line(
            row["sku"],
            row["name"],
            row["variant"],
            row["quantity"],
            Money(row["unit_price_minor"], currency),
            row["tax_minor"],
            _rate(row),
        )
        for row in rows
    ]


def _rate(row: asyncpg.Record) -> Rate:
    millionths = row["tax_millionths"]
    return Rate(row["tax_basis_points"] * 100 if millionths is None else millionths, row["tax_included"])


async def select_version(conn: Connection, order_id: UUID) -> str:
    """See select_versions. Raises NotFound."""
    found = await select_versions(conn, [order_id])
    if order_id not in found:
        raise NotFound(f"there is no order {order_id}")
    return found[order_id]


async def select_versions(conn: Connection, order_ids: Sequence[UUID]) -> dict[UUID, str]:
    """What tells that an order has changed, whichever of its columns; two versions can be compared, not ordered.

    It is the transaction that wrote the row. A column of ours would have to be kept by everything that writes, and
    a time or the id of a timeline row comes from clocks that may differ.
    """
    rows = await conn.fetch("SELECT id, xmin::text AS version FROM orders WHERE id = ANY($1::uuid[])", order_ids)
    return {row["id"]: row["version"] for row in rows}


async def update_payment(conn: Connection, order: Order) -> None:
    await conn.execute(
        """
        UPDATE orders SET payment = $2, paid_at = CASE WHEN $2 = 'paid' THEN clock_timestamp() END WHERE id = $1
        """,
        order.id,
        order.payment,
    )


async def update_reservation(conn: Connection, order: Order, look_at: datetime) -> None:
    """How long the goods are kept, and when the expiry job looks again."""
    await conn.execute(
        "UPDATE orders SET reserved_until = $2, expiry_due_at = $3 WHERE id = $1",
        order.id,
        order.reserved_until,
        look_at,
    )


async def update_look(conn: Connection, order_id: UUID, look_at: datetime) -> None:
    """When the expiry job looks again at an order whose reservation is over, and which can't end by itself."""
    await conn.execute(
        """
        UPDATE orders SET expiry_due_at = $2 WHERE id = $1 AND payment IN ('awaiting', 'failed', 'processing')
        """,
        order_id,
        look_at,
    )


async def update_look_forward(conn: Connection, order_id: UUID) -> None:
    """What made the expiry job look later is over: it looks once the reservation ends, or now."""
    await conn.execute(
        """
        UPDATE orders SET expiry_due_at = least(expiry_due_at, greatest(reserved_until, now()))
        WHERE id = $1 AND payment IN ('awaiting', 'failed', 'processing')
        """,
        order_id,
    )


async def update_facts(conn: Connection, order: Order) -> None:
    """Everything about an order that may move, except its payment."""
    await conn.execute(
        "UPDATE orders SET hold = $2, dispute = $3, fulfilment = $4, refunded_minor = $5 WHERE id = $1",
        order.id,
        order.hold,
        order.dispute,
        order.fulfilment,
        order.refunded_minor,
    )


async def select_order_id(conn: Connection, number: str) -> UUID:
    """The order that people call by this number. Raises NotFound."""
    found: UUID | None = await conn.fetchval("SELECT id FROM orders WHERE number = $1", number)
    if found is None:
        raise NotFound(f"there is no order {number}")
    return found


async def claim_due_for_expiry(conn: Connection, lease_s: float, limit: int) -> list[UUID]:
    """Orders whose time is over, for this process alone until the lease ends."""
    rows = await conn.fetch(
        """
        UPDATE orders SET expiry_due_at = now() + make_interval(secs => $1)
        WHERE id IN (
            SELECT id FROM orders
            WHERE payment IN ('awaiting', 'failed', 'processing') AND expiry_due_at <= now()
            ORDER BY expiry_due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
        RETURNING id
        """,
        lease_s,
        limit,
    )
    return [row["id"] for row in rows]


async def insert_timeline(
    conn: Connection, order_id: UUID, what: str, *, actor: str, reason: str | None = None
) -> None:
    await conn.execute(
        """
        INSERT INTO order_timeline (id, order_id, what, actor, reason, traceparent) VALUES ($1, $2, $3, $4, $5, $6)
        """,
        uuid7(),
        order_id,
        what,
        actor,
        reason,
        tracing.current_traceparent(),
    )


def _order(row: asyncpg.Record | None, order_id: UUID) -> Order:
    if row is None:
        raise NotFound(f"there is no order {order_id}")
    reserved_until: datetime = row["reserved_until"]
    return Order(
        id=row["id"],
        number=row["number"],
        email=row["email"],
        locale=row["locale"],
        total=Money(row["total_minor"], row["currency"]),
        shipping_address=orjson.loads(row["shipping_address"]),
        payment=PaymentState(row["payment"]),
        hold=Hold(row["hold"]),
        reserved_until=reserved_until,
        placed_at=row["placed_at"],
        fulfilment=Fulfilment(row["fulfilment"]),
        dispute=DisputeState(row["dispute"]),
        refunded_minor=row["refunded_minor"],
        customer_id=row["customer_id"],
        parts=_parts(row),
    )


def _parts(row: asyncpg.Record) -> Parts:
    currency = row["currency"]
    # The rate of delivery's tax is not kept: whether it is contained, and how much it is, says all that adds up.
    shipping_rate = Rate(0, row["shipping_tax_included"])
    return Parts(
        subtotal=Money(row["subtotal_minor"], currency),
        shipping=Money(row["shipping_minor"], currency),
        tax=Money(row["tax_minor"], currency),
        tax_added=Money(row["tax_added_minor"], currency),
        shipping_tax=Tax(Money(row["shipping_tax_minor"], currency), shipping_rate),
        shipping_method=row["shipping_method"],
        shipping_name=row["shipping_name"],
    )
