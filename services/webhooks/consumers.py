"""What webhooks hears: each consumer writes to the database and nothing else."""

from services.webhooks.actions import wanting
from shared.db import Connection
from shared.events import Event, ReconciliationBegan


async def on_reconciliation_began(conn: Connection, event: Event, *, can_ask: bool) -> None:
    """Checkout compares itself with Stripe: undelivered events are looked for at once."""
    assert isinstance(event, ReconciliationBegan)
    await wanting.want(conn, event.run_id, can_ask=can_ask)
