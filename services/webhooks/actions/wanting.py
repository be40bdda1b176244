"""A sweep for undelivered events on request, and the answer to who asked."""

from uuid import UUID

from services.webhooks.store import backfill as store
from shared import outbox
from shared.db import Connection
from shared.events import ReconciliationEventsFetched


async def want(conn: Connection, run_id: UUID, *, can_ask: bool) -> None:
    """A sweep begins at once, or follows the one under way. Without a key the answer is given here."""
    if not can_ask:
        answer = ReconciliationEventsFetched(run_id=run_id, listed=0, fetched=0, is_complete=False)
        await outbox.stage(conn, answer)
        return
    await store.insert_wanted(conn, run_id)
    await store.update_due(conn)


async def answer(conn: Connection, listed: int, fetched: int) -> None:
    """Tells everybody who asked before the sweep under way began what it brought."""
    for run_id in await store.delete_wanted(conn):
        await outbox.stage(conn, ReconciliationEventsFetched(run_id=run_id, listed=listed, fetched=fetched))
