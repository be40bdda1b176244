"""What Stripe says, and what becomes of the order: twice, late, out of order, of another amount."""

import asyncio
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from services.checkout import consumers, jobs
from services.checkout.app import make
from shared import inbox, outbox
from shared.errors import NotFound
from shared.events import (
    PaymentCanceled,
    PaymentEvent,
    PaymentFailed,
    PaymentProcessing,
    PaymentSnapshot,
    PaymentSucceeded,
)
from shared.ids import uuid7
from tests.integration.checkout.conftest import PATIENCE_S, SKU, an_order, serving, settings_for

CONSUMERS = {
    PaymentSucceeded: consumers.on_payment_succeeded,
    PaymentFailed: consumers.on_payment_failed,
    PaymentProcessing: consumers.on_payment_progress,
    PaymentCanceled: consumers.on_payment_progress,
}


def an_event(kind: type[PaymentEvent], placed: dict[str, Any], status: str, **changes: Any) -> PaymentEvent:
    payment = {
        "payment_intent_id": placed["payment_intent_id"],
        "status": status,
        "amount_minor": placed["order"]["total_minor"],
        "amount_received_minor": placed["order"]["total_minor"] if status == "succeeded" else 0,
        "currency": "usd",
        "order_id": placed["order"]["id"],
        **changes,
    }
    return kind(stripe_event_id=f"evt_{uuid7().hex}", livemode=False, payment=PaymentSnapshot.model_validate(payment))


def a_success(placed: dict[str, Any], **changes: Any) -> PaymentEvent:
    return an_event(PaymentSucceeded, placed, "succeeded", charge_id="ch_ok", **changes)


def a_failure(placed: dict[str, Any], charge: str = "ch_no", **changes: Any) -> PaymentEvent:
    facts = {"charge_id": charge, "failure_code": "card_declined", "decline_code": "insufficient_funds"}
    return an_event(PaymentFailed, placed, "requires_payment_method", **{**facts, **changes})


async def hear(checkout, event: PaymentEvent) -> None:
    """As the bus does it: claimed and handled in one transaction."""
    consumer = CONSUMERS[type(event)]
    async with checkout.till.pool.worker() as conn:
        if await inbox.claim(conn, f"checkout.{consumer.__name__}", event.id):
            await consumer(conn, event)


async def state_of(owner, placed) -> tuple[str, str]:
    row = await owner.fetchrow("SELECT payment, hold FROM checkout.orders WHERE id = $1", UUID(placed["order"]["id"]))
    return row["payment"], row["hold"]


async def staged(owner, type_: str) -> int:
    return await owner.fetchval("SELECT count(*) FROM checkout.outbox WHERE type = $1", type_)


async def stock_of(owner) -> tuple[int, int]:
    row = await owner.fetchrow("SELECT on_hand, reserved FROM checkout.stock WHERE sku = $1", SKU)
    return row["on_hand"], row["reserved"]


async def journal_of(owner) -> tuple[int, int]:
    row = await owner.fetchrow(
        "SELECT sum(on_hand_change)::int AS a, sum(reserved_change)::int AS b"
        " FROM checkout.stock_journal WHERE sku = $1",
        SKU,
    )
    return row["a"], row["b"]


async def test_a_success_pays_the_order_sells_the_stock_and_says_so_once(checkout, owner):
    _, placed = await checkout.place(an_order(quantity=2))
    event = a_success(placed)
    await hear(checkout, event)
    await hear(checkout, event)
    assert await state_of(owner, placed) == ("paid", "none")
    assert await stock_of(owner) == await journal_of(owner) == (58, 0)
    assert await staged(owner, "order.paid") == 1


async def test_two_event_ids_for_one_change_have_one_effect(checkout, owner):
    _, placed = await checkout.place()
    await hear(checkout, a_success(placed))
    await hear(checkout, a_success(placed))
    assert await staged(owner, "order.paid") == 1
    assert await stock_of(owner) == (59, 0)


async def test_ten_copies_at_the_same_instant_have_one_effect(checkout, owner):
    _, placed = await checkout.place()
    await asyncio.gather(*(hear(checkout, a_success(placed)) for _ in range(10)))
    assert await staged(owner, "order.paid") == 1
    assert await stock_of(owner) == (59, 0)


async def test_a_second_decline_is_a_second_fact_and_the_same_decline_is_not(checkout, owner):
    _, placed = await checkout.place()
    for charge in ("ch_1", "ch_1", "ch_2"):
        await hear(checkout, a_failure(placed, charge))
    assert await state_of(owner, placed) == ("failed", "none")
    assert await staged(owner, "order.payment_failed") == 2
    rows = await owner.fetch("SELECT failure_id, category, seen FROM checkout.payment_failures ORDER BY failure_id")
    assert [tuple(row) for row in rows] == [("ch_1", "insufficient_funds", 2), ("ch_2", "insufficient_funds", 1)]


async def test_every_order_of_the_events_ends_in_the_same_state(checkout, owner, stripe):
    kinds = ("processing", "failed", "succeeded")
    for order in permutations(kinds):
        _, placed = await checkout.place()
        await stripe.pay(placed["payment_intent_id"])
        events = {
            "processing": an_event(PaymentProcessing, placed, "processing"),
            "failed": a_failure(placed, charge=f"ch_{uuid7().hex}"),
            "succeeded": a_success(placed),
        }
        for kind in order:
            await hear(checkout, events[kind])
        while await jobs.resync(checkout.till):
            pass
        assert await state_of(owner, placed) == ("paid", "none"), order


async def test_an_event_that_overtook_its_order_is_tried_again_later(checkout):
    placed = {"payment_intent_id": "pi_x", "order": {"id": str(uuid7()), "total_minor": 100}}
    with pytest.raises(NotFound) as caught:
        await hear(checkout, a_success(placed))
    assert caught.value.may_pass_later


async def test_a_payment_of_another_shop_on_the_account_is_left_alone(clean, pool, amqp_url, stripe, http, owner):
    """It names an order too, and would go round until it is a dead letter."""
    settings = settings_for(clean, amqp_url, stripe.url, shares_account=True, card_testing="enforce")
    async with serving(make(settings), http) as checkout:
        placed = {"payment_intent_id": "pi_x", "order": {"id": str(uuid7()), "total_minor": 100}}
        _, ours = await checkout.place()
        events = (a_success(placed), a_failure(placed), a_success(ours))
        async with pool.worker() as conn:
            for event in events:
                await outbox.stage(conn, event)
        heard = "SELECT count(*) FROM checkout.inbox WHERE event_id = ANY($1::uuid[])"
        async with asyncio.timeout(PATIENCE_S):
            while await owner.fetchval(heard, [event.id for event in events]) < 3:
                await asyncio.sleep(0.05)
    assert await state_of(owner, ours) == ("paid", "none")
    assert await owner.fetchval("SELECT count(*) FROM checkout.payments") == 1
    assert await owner.fetchval("SELECT count(*) FROM checkout.card_failures") == 0


@pytest.mark.parametrize(
    "wrong", [{"amount_received_minor": 6499}, {"currency": "eur"}, {"amount_received_minor": 6501}]
)
async def test_money_that_differs_holds_the_order_and_raises_it(checkout, owner, wrong):
    _, placed = await checkout.place()
    await hear(checkout, a_success(placed, **wrong))
    await hear(checkout, a_success(placed, **wrong))
    assert await state_of(owner, placed) == ("awaiting", "payment_differs")
    assert (await staged(owner, "order.held"), await staged(owner, "order.paid")) == (1, 0)
    assert await stock_of(owner) == (60, 1)


async def test_a_second_payment_of_one_order_holds_it(checkout, owner):
    _, placed = await checkout.place()
    await hear(checkout, a_success(placed))
    await hear(checkout, a_success(placed, payment_intent_id="pi_other"))
    assert await state_of(owner, placed) == ("paid", "paid_twice")
    assert await stock_of(owner) == (59, 0)
    settling = await owner.fetch("SELECT payment_intent_id FROM checkout.payments WHERE settles")
    assert [row[0] for row in settling] == [placed["payment_intent_id"]]


async def test_a_refused_or_cancelled_payment_beside_the_one_that_settled_is_no_contradiction(
    checkout, stripe, owner, caplog
):
    """Each look at it raised an alarm (found by tests/stateful)."""
    _, placed = await checkout.place()
    await stripe.pay(placed["payment_intent_id"], "pm_card_chargeDeclined")
    await hear(checkout, a_success(placed, payment_intent_id="pi_by_phone"))
    await hear(checkout, a_failure(placed))
    await hear(checkout, an_event(PaymentCanceled, placed, "canceled"))
    async with asyncio.timeout(PATIENCE_S):
        while await owner.fetchval("SELECT count(*) FROM checkout.resyncs WHERE done_at IS NULL"):
            await asyncio.sleep(0.05)
    assert await state_of(owner, placed) == ("paid", "none")
    ours = [record for record in caplog.records if record.name.startswith("services.checkout")]
    assert [record.message for record in ours if record.levelname == "ERROR"] == []


async def test_the_database_itself_refuses_a_second_settling_payment(checkout, owner):
    """The guard below the guard: even code that is wrong can't settle an order twice."""
    import asyncpg

    _, placed = await checkout.place()
    await hear(checkout, a_success(placed))
    with pytest.raises(asyncpg.UniqueViolationError):
        await owner.execute(
            "INSERT INTO checkout.payments (payment_intent_id, order_id, status, currency, amount_minor, settles)"
            " VALUES ('pi_2', $1, 'succeeded', 'usd', 1, true)",
            UUID(placed["order"]["id"]),
        )


async def test_events_reach_the_consumer_through_the_broker(checkout, owner):
    _, placed = await checkout.place()
    async with checkout.till.pool.worker() as conn:
        await outbox.stage(conn, a_success(placed))
    async with asyncio.timeout(PATIENCE_S):
        while (await state_of(owner, placed))[0] != "paid":
            await asyncio.sleep(0.05)
