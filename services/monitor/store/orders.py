"""Orders that are held, as checkout's events said."""

from datetime import timedelta

from services.monitor.domain.facts import HeldOrder
from shared.db import Connection
from shared.events import OrderHeld, OrderReleased

LONGEST = 100
PURGE_BATCH = 1000


async def upsert_held(conn: Connection, event: OrderHeld | OrderReleased) -> None:
    """Keeps the event if it is the latest about its order. The same reason again, after another, counts anew."""
    is_held = isinstance(event, OrderHeld)
    await conn.execute(
        """
        INSERT INTO held_orders AS known (order_id, number, reason, fulfilment, since, occurred_at, event_id)
        VALUES ($1, $2, $3, $4, least($5, clock_timestamp()), $5, $6)
        ON CONFLICT (order_id) DO UPDATE SET reason = $3, fulfilment = $4, since = excluded.since, occurred_at = $5,
            event_id = $6
        WHERE (known.occurred_at, known.event_id) < ($5, $6)
        """,
        event.order.order_id,
        event.order.number[:LONGEST],
        event.reason[:LONGEST] if is_held else None,
        event.fulfilment[:LONGEST] if isinstance(event, OrderHeld) else "",
        event.occurred_at,
        event.id,
    )


async def select_held(conn: Connection) -> tuple[HeldOrder, ...]:
    """Those that are held, the longest held first."""
    rows = await conn.fetch(
        "SELECT number, reason, fulfilment, since FROM held_orders WHERE reason IS NOT NULL ORDER BY since, number"
    )
    return tuple(HeldOrder(**row) for row in rows)


async def delete_released(conn: Connection, keep: timedelta) -> int:
    """Forgets orders that were released so long ago that no late event about them can come."""
    status = await conn.execute(
        """
        DELETE FROM held_orders WHERE order_id IN (
            SELECT order_id FROM held_orders WHERE reason IS NULL AND since < now() - $1::interval LIMIT $2)
        """,
        keep,
        PURGE_BATCH,
    )
    return int(status.split()[-1])
