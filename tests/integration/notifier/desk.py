"""What tests do to the notifier from outside: let it hear events, look at its rows, move its clock."""

from services.notifier import consumers
from services.notifier.domain import Terms
from shared import events


async def hear(post, *heard) -> None:
    """What the bus does, without the inbox."""
    terms: Terms = post.terms
    for event in heard:
        consumer = getattr(consumers, f"on_{event.type.replace('.', '_')}")
        async with post.pool.worker() as conn:
            await consumer(conn, event, terms=terms)


async def only_letter(owner):
    (row,) = await owner.fetch("SELECT *, due_at - now() AS due_in FROM notifier.letters")
    return row


async def attempts(owner):
    return await owner.fetch("SELECT * FROM notifier.attempts ORDER BY started_at")


async def staged(owner) -> list[events.Event]:
    rows = await owner.fetch("SELECT body FROM notifier.outbox ORDER BY staged_at")
    return [events.decode(row["body"]) for row in rows]


async def make_due(owner) -> None:
    await owner.execute("UPDATE notifier.letters SET due_at = now() WHERE due_at IS NOT NULL")
