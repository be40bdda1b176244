"""The end of a reservation, and calls to Stripe whose outcome nobody knows."""

import asyncio
from uuid import UUID, uuid4

import pytest

from services.checkout import jobs
from services.checkout.actions import expiry
from services.checkout.store import payments as payment_store
from shared import metrics
from shared.events import PaymentProcessing
from tests.integration.checkout.conftest import PATIENCE_S, SKU, an_order
from tests.integration.checkout.test_payments import a_success, an_event, hear, journal_of, state_of, stock_of

LOOKS_IN_S = "SELECT extract(epoch FROM expiry_due_at - now())::float FROM checkout.orders"
CANCELS = "SELECT state FROM checkout.payment_attempts WHERE operation = 'cancel_intent'"


async def half_an_hour_is_over(owner) -> None:
    """For every order; the expiry job runs by itself."""
    await owner.execute(
        "UPDATE checkout.orders SET reserved_until = reserved_until - interval '30 minutes',"
        " expiry_due_at = expiry_due_at - interval '30 minutes'"
    )


async def until(owner, placed, payment: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (await state_of(owner, placed))[0] != payment:
            await asyncio.sleep(0.05)


async def test_an_abandoned_order_is_cancelled_at_stripe_and_only_then_released(checkout, stripe, owner):
    _, placed = await checkout.place(an_order(quantity=3))
    assert await stock_of(owner) == (60, 3)
    assert 1700 < await owner.fetchval(LOOKS_IN_S) <= 1800
    await half_an_hour_is_over(owner)
    await until(owner, placed, "expired")
    assert [intent["status"] for intent in await stripe.intents()] == ["canceled"]
    assert await stock_of(owner) == await journal_of(owner) == (60, 0)
    attempts = await owner.fetch("SELECT operation, state FROM checkout.payment_attempts ORDER BY operation")
    assert [tuple(row) for row in attempts] == [("cancel_intent", "succeeded"), ("create_intent", "succeeded")]


async def test_an_order_whose_3d_secure_failed_is_released_in_time(checkout, stripe, owner):
    _, placed = await checkout.place()
    await stripe.pay(placed["payment_intent_id"], "pm_card_threeDSecure2Required")
    await stripe.control("POST", f"payment_intents/{placed['payment_intent_id']}/authenticate", {"outcome": "fail"})
    await half_an_hour_is_over(owner)
    await until(owner, placed, "expired")
    assert await stock_of(owner) == (60, 0)


async def test_an_order_whose_money_was_on_its_way_is_released_once_stripe_has_cancelled_its_payment(
    checkout, stripe, owner
):
    """The debit failed, and the news of that was lost: the order stayed reserved for ever (found by tests/stateful)."""
    _, placed = await checkout.place()
    await hear(checkout, an_event(PaymentProcessing, placed, "processing"))
    await owner.execute("UPDATE checkout.orders SET expiry_due_at = now()")
    await until(owner, placed, "expired")
    assert [intent["status"] for intent in await stripe.intents()] == ["canceled"]
    assert await stock_of(owner) == (60, 0)


async def test_an_order_that_turns_out_to_be_paid_is_settled_instead(checkout, stripe, owner):
    """No webhook arrives in this test: only the refused cancellation tells."""
    _, placed = await checkout.place()
    status, _ = await stripe.pay(placed["payment_intent_id"])
    assert status == 200
    await owner.execute("UPDATE checkout.orders SET expiry_due_at = now()")
    await until(owner, placed, "paid")
    assert await stock_of(owner) == (59, 0)


async def test_stock_released_before_the_intent_is_cancelled_could_be_sold_twice(checkout, stripe, owner):
    """The bug that the order of the two steps prevents: without it the money still comes, and the goods are gone."""
    _, placed = await checkout.place()
    await owner.execute(  # released first, as a naive job would
        "INSERT INTO checkout.stock_journal (id, sku, on_hand_change, reserved_change, reason, order_id)"
        " VALUES (gen_random_uuid(), $1, 0, -1, 'released', $2)",
        SKU,
        UUID(placed["order"]["id"]),
    )
    status, intent = await stripe.pay(placed["payment_intent_id"])
    assert (status, intent["status"]) == (200, "succeeded")  # charged, for goods that are on sale again
    _, other = await checkout.place()
    await owner.execute("UPDATE checkout.orders SET expiry_due_at = now() WHERE id = $1", UUID(other["order"]["id"]))
    await until(owner, other, "expired")
    status, problem = await stripe.pay(other["payment_intent_id"])
    assert (status, problem["error"]["code"]) == (400, "payment_intent_unexpected_state")


async def test_nothing_is_released_while_stripe_can_not_say(checkout, stripe, owner):
    await stripe.fault(kind="error_before", method="POST", path="/v1/payment_intents/*/cancel", times=None)
    _, placed = await checkout.place()
    await half_an_hour_is_over(owner)
    async with asyncio.timeout(PATIENCE_S):
        while "unknown" not in [row["state"] for row in await owner.fetch(CANCELS)]:
            await asyncio.sleep(0.05)
    assert (await state_of(owner, placed))[0] == "awaiting"
    assert await stock_of(owner) == (60, 1)
    await stripe.control("DELETE", "faults")
    await until(owner, placed, "expired")


@pytest.mark.parametrize(
    "kind", ["error_after", "cut_after", "drop_after", "error_before", "cut_before", "drop_before"]
)
async def test_a_creation_of_unknown_outcome_is_repeated_with_its_key(checkout, stripe, owner, kind):
    """Longer than the client's own retries: the first answer is 503, and the repeat finds the same PaymentIntent."""
    await stripe.fault(kind=kind, method="POST", path="/v1/payment_intents", times=3)
    key = str(uuid4())
    status, problem = await checkout.place(an_order(), key)
    if status != 201:
        assert (status, problem["code"]) == (503, "payment_outcome_unknown")
        assert await owner.fetchval("SELECT state FROM checkout.payment_attempts") == "unknown"
    async with asyncio.timeout(PATIENCE_S):
        while status != 201:
            await asyncio.sleep(0.2)
            status, _ = await checkout.place(an_order(), key)
    assert len(await stripe.intents()) <= 1
    assert await owner.fetchval("SELECT count(*) FROM checkout.orders") == 1
    assert await stock_of(owner) == (60, 1)


async def test_a_process_that_died_between_order_and_stripe_is_taken_over(checkout, stripe, owner):
    """The order is committed, the attempt pending, its holder gone: a repeat waits for the lease and goes on."""
    key = str(uuid4())
    _, placed = await checkout.place(an_order(), key)
    await owner.execute(
        "UPDATE checkout.payment_attempts SET state = 'pending', payment_intent_id = NULL,"
        " lease_until = clock_timestamp() + interval '1 second'"
    )
    status, again = await checkout.place(an_order(), key)
    assert status == 201
    assert again["payment_intent_id"] == placed["payment_intent_id"]
    assert len(await stripe.intents()) == 1


async def test_what_stripe_refuses_is_not_tried_for_ever_and_the_stock_comes_back(checkout, stripe, owner):
    await owner.execute(
        "UPDATE checkout.prices SET unit_price_minor = 10 WHERE sku = $1", SKU
    )  # below Stripe's minimum
    status, problem = await checkout.place()
    assert (status, problem["code"]) == (503, "payment_provider_refused")
    await half_an_hour_is_over(owner)
    async with asyncio.timeout(PATIENCE_S):
        while await owner.fetchval("SELECT payment FROM checkout.orders") != "expired":
            await asyncio.sleep(0.05)
    assert await stock_of(owner) == (60, 0)
    assert await stripe.intents() == []


@pytest.mark.parametrize("payment", ["awaiting", "processing"])
async def test_an_order_that_waits_for_a_person_is_looked_at_now_and_then_and_ends_when_it_is_released(
    checkout, stripe, owner, payment
):
    """Each look asked Stripe under a new key and counted another held payment, every minute until somebody decided."""
    _, placed = await checkout.place()
    form = {"amount": "100", "currency": "usd", "confirm": "true", "metadata[order_id]": placed["order"]["id"]}
    _, wrong = await stripe.post("payment_intents", **form, payment_method="pm_card_visa", return_url=stripe.url)
    told = a_success({**placed, "payment_intent_id": wrong["id"]}, amount_minor=100, amount_received_minor=100)
    counted = ("checkout_payments_total", {"result": "held", "category": "payment_differs"})
    before = metrics.REGISTRY.get_sample_value(*counted) or 0
    await hear(checkout, told)
    await owner.execute(
        "UPDATE checkout.orders SET reserved_until = now() - interval '1 second', expiry_due_at = now(), payment = $1",
        payment,
    )
    async with asyncio.timeout(PATIENCE_S):
        while not 3000 < await owner.fetchval(LOOKS_IN_S) <= 3600:
            await asyncio.sleep(0.02)
    await expiry.expire(checkout.till, UUID(placed["order"]["id"]))
    await hear(checkout, told.model_copy(update={"id": uuid4()}))
    assert (await state_of(owner, placed), await stock_of(owner)) == ((payment, "payment_differs"), (60, 1))
    assert metrics.REGISTRY.get_sample_value(*counted) == before + 1
    await stripe.post("refunds", payment_intent=wrong["id"])
    async with checkout.till.pool.worker() as conn:
        await payment_store.request_resync(conn, wrong["id"], UUID(placed["order"]["id"]), "given back by a person")
    await until(owner, placed, "expired")
    assert await stock_of(owner) == (60, 0)


async def test_two_expiry_jobs_at_once_release_once(checkout, stripe, owner):
    _, placed = await checkout.place()
    await owner.execute("UPDATE checkout.orders SET expiry_due_at = now()")
    await asyncio.gather(*(jobs.expire_unpaid(checkout.till) for _ in range(4)))
    await until(owner, placed, "expired")
    assert await stock_of(owner) == await journal_of(owner) == (60, 0)
    assert await owner.fetchval("SELECT count(*) FROM checkout.outbox WHERE type = 'order.expired'") == 1
    assert UUID(placed["order"]["id"])
