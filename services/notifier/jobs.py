"""What the notifier does by itself: send what is due, give up the lost, measure, forget what is old."""

import asyncio
import logging

from services.notifier import actions
from services.notifier.actions import Claim, Post
from shared import inbox, outbox, tasks
from shared.db import Pool
from shared.loop import Stop

log = logging.getLogger(__name__)


class Desk:
    """Keeps up to `concurrency` conversations going: a slow server holds up one of them, not the batch."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._running: set[asyncio.Task[None]] = set()

    async def send_due(self) -> int:
        """Claims as many letters as there are hands free; answers how many. All busy: waits for one to be done."""
        limit = self._post.settings.concurrency
        if len(self._running) >= limit:
            await asyncio.wait(self._running, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
        free = limit - len(self._running)
        claims = await actions.claim_due(self._post, free) if free else []
        for claim in claims:
            task = asyncio.create_task(self._deliver(claim), name=f"letter {claim.letter.id}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return len(claims)

    async def _deliver(self, claim: Claim) -> None:
        try:
            await actions.deliver(self._post, claim)
        except Exception:
            # Its lease will tell that the outcome is unknown.
            log.exception("letter not settled", extra={"letter_id": str(claim.letter.id)})

    async def finish(self, stop: Stop) -> None:
        """Lets the conversations under way end, within the time that the jobs have; cuts the rest."""
        running = set(self._running)
        try:
            if running:
                await asyncio.wait(running, timeout=stop.tell())
        finally:
            await tasks.end(*running)


async def send_due(post: Post) -> int:
    """One batch, sent and recorded when this returns: `Desk` for tests and commands."""
    claims = await actions.claim_due(post, post.settings.concurrency)
    await asyncio.gather(*(actions.deliver(post, claim) for claim in claims))
    return len(claims)


async def give_up_lost(post: Post) -> int:
    return await actions.give_up_lost(post.pool, post.terms)


async def measure(pool: Pool) -> int:
    await actions.measure(pool)
    return await outbox.measure(pool)


async def purge(post: Post) -> int:
    """Forgets handled event ids, published events and journalled attempts that nobody needs any more."""
    async with post.pool.worker() as conn:
        gone = await inbox.purge(conn, post.settings.inbox_days) + await outbox.purge(conn, post.settings.outbox_days)
    return gone + await post.journal.forget()
