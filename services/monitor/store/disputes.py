"""Orders that are disputed, as checkout's events said."""

from datetime import timedelta

from services.monitor.domain.facts import DisputeDue
from shared.db import Connection
from shared.events import OrderDisputed

LONGEST = 100
PURGE_BATCH = 1000


async def upsert_dispute(conn: Connection, event: OrderDisputed) -> None:
    """Keeps the event if it is the latest about its order."""
    await conn.execute(
        """
        INSERT INTO disputes AS known (order_id, number, dispute, due_at, occurred_at, event_id)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (order_id) DO UPDATE SET dispute = $3, due_at = $4, occurred_at = $5, event_id = $6
        WHERE (known.occurred_at, known.event_id) < ($5, $6)
        """,
        event.order.order_id,
        event.order.number[:LONGEST],
        event.dispute[:LONGEST],
        event.due_at,
        event.occurred_at,
        event.id,
    )


async def select_due(conn: Connection) -> tuple[DisputeDue, ...]:
    """Those that wait for the shop's answer, the most urgent first."""
    rows = await conn.fetch(
        "SELECT number, dispute, due_at FROM disputes WHERE due_at IS NOT NULL ORDER BY due_at, number"
    )
    return tuple(DisputeDue(**row) for row in rows)


async def delete_settled(conn: Connection, keep: timedelta) -> int:
    """Forgets disputes that wait for nobody, and have not changed for so long that no late event can come."""
    status = await conn.execute(
        """
        DELETE FROM disputes WHERE order_id IN (
            SELECT order_id FROM disputes WHERE due_at IS NULL AND occurred_at < now() - $1::interval LIMIT $2)
        """,
        keep,
        PURGE_BATCH,
    )
    return int(status.split()[-1])
