"""Waiting until everything that was begun has come to its end."""

import time

import asyncpg

from deploy.demo.stage import Stage
from deploy.demo.waiting import LOOK_S, TooLate, until
from deploy.demo.watching import Watcher

# What is still under way, as the database knows it; all of it must end by itself.
OPEN = """
    SELECT 'orders' AS what, count(*) AS number FROM checkout.orders
        WHERE payment IN ('awaiting', 'processing', 'failed')
    UNION ALL SELECT 'resyncs', count(*) FROM checkout.resyncs WHERE done_at IS NULL
    UNION ALL SELECT 'refunds', count(*) FROM checkout.refunds WHERE state = 'requested'
    UNION ALL SELECT 'currencies pending at Stripe', count(*) FROM (
        SELECT FROM checkout.ledger_entries WHERE account = 'stripe_pending'
        GROUP BY currency HAVING sum(amount_minor) <> 0) pending
    UNION ALL SELECT 'webhook events', count(*) FROM webhooks.stripe_events WHERE state = 'received'
    UNION ALL SELECT 'letters', count(*) FROM notifier.letters WHERE due_at IS NOT NULL OR state = 'sending'
    UNION ALL SELECT 'outbox of checkout', count(*) FROM checkout.outbox WHERE published_at IS NULL
    UNION ALL SELECT 'outbox of webhooks', count(*) FROM webhooks.outbox WHERE published_at IS NULL
    UNION ALL SELECT 'outbox of notifier', count(*) FROM notifier.outbox WHERE published_at IS NULL
    UNION ALL SELECT 'outbox of monitor', count(*) FROM monitor.outbox WHERE published_at IS NULL
"""
# Nothing open for so long: what is between two tables, in a queue, has had its time too.
QUIET_S = 3.0


async def settle(stage: Stage, within_s: float) -> dict[str, int]:
    """Returns what is still open: nothing, if all went well."""
    watcher = Watcher(stage.http, stage.addresses)
    quiet_since = 0.0
    left: dict[str, int] = {}

    async def probe() -> bool:
        nonlocal quiet_since, left
        left = await _open(stage, watcher)
        if left:
            quiet_since = 0.0
        quiet_since = quiet_since or time.monotonic()
        return not left and time.monotonic() - quiet_since >= QUIET_S

    assert LOOK_S < QUIET_S
    try:
        await until(probe, "everything is settled", within_s)
    except TooLate:
        return left or {"unrest": 1}
    return {}


async def _open(stage: Stage, watcher: Watcher) -> dict[str, int]:
    try:
        found = {row["what"]: row["number"] for row in await stage.look(OPEN)}
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise OSError(str(error)) from error
    found["webhooks on their way"] = (await watcher.control("GET", "state"))["deliveries_waiting"]
    found["payments that no event told of"] = await _untold(stage, watcher)
    found.update(await messages(stage, dead=False))
    return {what: number for what, number in found.items() if number}


async def _untold(stage: Stage, watcher: Watcher) -> int:
    """Events that were lost for good on their way: the backfill has to find them."""
    intents = (await watcher.control("GET", "payment_intents"))["payment_intents"]
    rows = await stage.look("SELECT object_id FROM webhooks.stripe_events WHERE type = 'payment_intent.succeeded'")
    paid = {intent["id"] for intent in intents if intent["status"] == "succeeded"}
    return len(paid - {row["object_id"] for row in rows})


async def messages(stage: Stage, *, dead: bool) -> dict[str, int]:
    """How many messages lie in the queues: in the dead letters, or in all others."""
    queues = await Watcher(stage.http, stage.addresses).get(f"{stage.addresses.rabbitmq_management_url}/api/queues")
    return {
        f"queue {queue['name']}": queue.get("messages", 0)
        for queue in queues
        if queue["name"].endswith(".dead") is dead and queue.get("messages", 0)
    }
