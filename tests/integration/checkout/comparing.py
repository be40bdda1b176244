"""A shop whose memory has holes, and runs of reconciliation over it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from services.checkout import consumers
from services.checkout.actions.reconciling import running
from services.checkout.actions.reconciling.running import Reconciler
from services.checkout.store import reconciliations
from services.checkout.store.reconciliations import Run
from services.webhooks.domain import translation
from shared import inbox, leader
from shared.events import MoneyEvent, PaymentSucceeded
from tests.integration.checkout.conftest import PATIENCE_S, SECRET
from tests.integration.checkout.test_payments import CONSUMERS

NOW = timedelta(0)


@contextlib.asynccontextmanager
async def reconciling(checkout, database, **changes: Any) -> AsyncIterator[Reconciler]:
    """One that waits for nothing: no event is on its way, and webhooks is not asked."""
    usual = checkout.till.settings.reconciliation()
    policy = replace(usual, **{"settle": NOW, "books": NOW, "answer": NOW, "interval_s": 0.0, "idle_s": 0.0, **changes})
    standing = leader.standing(
        database.url("checkout"), service="checkout", role_prefix=database.prefix, task="reconcile"
    )
    async with standing as candidate:
        yield Reconciler(checkout.till.pool, checkout.till.stripe, policy, candidate)


async def reconcile(checkout, database, **changes: Any) -> Run:
    """One turn; the run as it is then."""
    async with reconciling(checkout, database, **changes) as reconciler:
        await running.reconcile(reconciler)
        return await latest(checkout)


async def latest(checkout) -> Run:
    async with checkout.till.pool.worker() as conn:
        standing = await reconciliations.select_standing(conn)
    found = standing.open or standing.last
    assert found is not None
    return found


def outcome(run: Run) -> tuple[int, int]:
    """What was put right and what was raised."""
    return run.objects_repaired + run.balance_repaired, run.objects_raised + run.balance_raised


def of_objects(run: Run) -> tuple[int, int]:
    """The same of the second pass alone: the third books what nobody has booked yet."""
    return run.objects_repaired, run.objects_raised


async def listed(stripe, path: str) -> list[dict[str, Any]]:
    """All that Stripe lists, the newest first."""
    found: list[dict[str, Any]] = []
    headers, more, after = {"Authorization": f"Bearer {SECRET}"}, True, ""
    while more:
        url = f"{stripe.url}/v1/{path}?limit=100{after}"
        async with stripe.http.get(url, headers=headers) as response:
            page = await response.json()
        found, more = found + page["data"], page["has_more"]
        after = f"&starting_after={found[-1]['id']}" if found else ""
    return found


async def until_settled(stripe, payments: int) -> list[dict[str, Any]]:
    """Stripe books a payment a moment after it: how quick the machine is must not decide who finds it first."""
    async with asyncio.timeout(PATIENCE_S):
        while len(found := await listed(stripe, "balance_transactions")) < payments:
            await asyncio.sleep(0.02)
    return found


async def hear_all(checkout, stripe_events: Iterable[dict[str, Any]]) -> None:
    """As if they came from webhooks; none of them twice."""
    async with checkout.till.pool.worker() as conn:
        for stripe_event in stripe_events:
            event = translation.translate(stripe_event)
            if event is None:
                continue
            consumer = consumers.on_money_moved if isinstance(event, MoneyEvent) else CONSUMERS.get(type(event))
            if consumer is not None and await inbox.claim(conn, f"checkout.{consumer.__name__}", event.id):
                await consumer(conn, event)


def success_of(stripe_events: Iterable[dict[str, Any]], payment_intent_id: str) -> PaymentSucceeded:
    found = (each for each in stripe_events if each["data"]["object"]["id"] == payment_intent_id)
    event = translation.translate(next(each for each in found if each["type"] == "payment_intent.succeeded"))
    assert isinstance(event, PaymentSucceeded)
    return event


async def lose_rows(owner, payment_intent_ids: list[str]) -> None:
    """Their rows are gone, with all that hangs on them; the books and the timeline can't be lost like that."""
    for table in ("disputes", "refund_lines", "refunds", "payments"):
        where = "payment_intent_id = ANY($1::text[])"
        if table == "refund_lines":
            where = f"refund_id IN (SELECT id FROM checkout.refunds WHERE {where})"
        await owner.execute(f"DELETE FROM checkout.{table} WHERE {where}", payment_intent_ids)


async def everything(owner) -> dict[str, list[str]]:
    """Every row of checkout's tables and of the audit trail, as text: to see that nothing changed at all."""
    tables = await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'checkout'")
    names = [f"checkout.{row['tablename']}" for row in tables] + ["audit.log"]
    found = {}
    for name in names:
        rows = await owner.fetch(f"SELECT t::text || t.xmin::text AS row FROM {name} t")
        found[name] = sorted(row["row"] for row in rows)
    return found


async def gather(number: int, act) -> list[Any]:
    """So many at a time that the machine is busy and no pool is empty."""
    slots = asyncio.Semaphore(4)

    async def one(position: int) -> Any:
        async with slots:
            return await act(position)

    return await asyncio.gather(*(one(position) for position in range(number)))


async def findings_of(owner) -> list[tuple[str, str, bool]]:
    """kind, object, whether it is open."""
    rows = await owner.fetch(
        "SELECT kind, object_id, settled_at IS NULL AS is_open FROM checkout.reconciliation_findings ORDER BY opened_at"
    )
    return [tuple(row) for row in rows]


async def assert_all_is_as_at_stripe(stripe, owner) -> None:
    """Every payment, refund and dispute that Stripe has is here, each order as its payment wants it, told once."""
    intents = await listed(stripe, "payment_intents")
    refunds, disputes = await listed(stripe, "refunds"), await listed(stripe, "disputes")
    rows = await owner.fetch(
        """
        SELECT p.payment_intent_id, p.status, p.settles, o.payment, o.hold, o.dispute, o.refunded_minor,
               (SELECT count(*) FROM checkout.outbox e WHERE e.type = 'order.paid'
                AND convert_from(e.body, 'UTF8') LIKE '%' || o.id || '%') AS told
        FROM checkout.payments p JOIN checkout.orders o ON o.id = p.order_id
        """
    )
    held = {row["payment_intent_id"]: row for row in rows}
    assert len(held) == len(intents)
    for intent in intents:
        row = held[intent["id"]]
        is_paid = intent["status"] == "succeeded"
        waits = "failed" if intent["last_payment_error"] else "awaiting"
        expected = ("paid", True, 1) if is_paid else (waits, False, 0)
        assert (row["payment"], row["settles"], row["told"]) == expected, (intent["id"], dict(row))
        assert (row["status"], row["hold"]) == (intent["status"], "none"), dict(row)
        given = sum(each["amount"] for each in refunds if each["payment_intent"] == intent["id"])
        is_disputed = any(each["payment_intent"] == intent["id"] for each in disputes)
        assert (row["refunded_minor"], row["dispute"]) == (given, "open" if is_disputed else "none"), dict(row)
    known = await owner.fetch("SELECT stripe_refund_id FROM checkout.refunds")
    assert sorted(row["stripe_refund_id"] for row in known) == sorted(each["id"] for each in refunds)
    pending = "SELECT coalesce(sum(amount_minor), 0) FROM checkout.ledger_entries WHERE account = 'stripe_pending'"
    assert await owner.fetchval(pending) == 0
