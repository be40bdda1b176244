"""Checkout asks for undelivered events when it compares itself with Stripe, and hears what came."""

from shared import outbox
from shared.db import open_pool
from shared.events import ReconciliationBegan, decode
from shared.ids import uuid7
from tests.integration.webhooks.test_backfill import NOWHERE_URL, PAID, until

ANSWER = "reconciliation.events_fetched"


async def ask(clean) -> ReconciliationBegan:
    """As checkout does it: its relay is another, but the event is the same."""
    asked = ReconciliationBegan(run_id=uuid7())
    async with open_pool(clean.url("webhooks"), "webhooks", clean.prefix, 1) as pool, pool.worker() as conn:
        await outbox.stage(conn, asked)
    return asked


async def test_who_asks_is_told_what_a_sweep_brought_that_began_after_it(
    clean, stripe, open_door, asking, rows, heard, owner
):
    # Nor does a machine that stalls for a second make it look again.
    async with open_door(**{**asking, "backfill_interval_s": 600, "backfill_idle_s": 600, "outage_after_s": 600}):
        await stripe.sends_to(NOWHERE_URL, PAID)
        await until(lambda: owner.fetchval("SELECT finished_at FROM webhooks.backfill"))  # its own first look is over
        await stripe.pay(3)
        asked = await ask(clean)
        (message,) = await heard.at_least(1, ANSWER)
        await rows.until("published", 3)
    told = decode(message.body)
    assert (told.run_id, told.listed, told.fetched, told.is_complete) == (asked.run_id, 3, 3, True)


async def test_without_a_key_the_answer_is_that_nobody_could_look(clean, open_door, heard):
    async with open_door():
        asked = await ask(clean)
        (message,) = await heard.at_least(1, ANSWER)
    told = decode(message.body)
    assert (told.run_id, told.is_complete) == (asked.run_id, False)
