"""SQL of early fraud warnings."""

from uuid import UUID

from services.checkout.domain import FraudWarning
from shared.db import Connection


async def upsert_warning(conn: Connection, order_id: UUID, warning: FraudWarning) -> bool:
    """True if it is new. Of a known one only whether it is actionable changes, and that only once."""
    status = await conn.execute(
        """
        INSERT INTO fraud_warnings (id, order_id, payment_intent_id, charge_id, fraud_type, is_actionable, warned_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
        """,
        warning.id,
        order_id,
        warning.payment_intent_id,
        warning.charge_id,
        warning.fraud_type,
        warning.is_actionable,
        warning.warned_at,
    )
    if status == "INSERT 0 1":
        return True
    if not warning.is_actionable:  # a view that was fetched earlier and comes late makes nothing actionable again
        await conn.execute(
            "UPDATE fraud_warnings SET is_actionable = false, updated_at = clock_timestamp() WHERE id = $1", warning.id
        )
    return False


async def acknowledge_warnings(conn: Connection, order_id: UUID) -> int:
    """A person has decided about the warnings of an order; answers how many there were."""
    status = await conn.execute(
        """
        UPDATE fraud_warnings SET acknowledged_at = clock_timestamp()
        WHERE order_id = $1 AND is_actionable AND acknowledged_at IS NULL
        """,
        order_id,
    )
    return int(status.split()[-1])
