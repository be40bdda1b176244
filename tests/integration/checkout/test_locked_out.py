"""A key that Stripe doesn't take, and refusals that come after something was done: nothing is over because of them."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from services.checkout.actions import customers, expiry, payments, pursuing, refunds
from services.checkout.domain import RefundTooLarge, RefundWanted, Shopper
from services.checkout.store import orders as order_store
from services.checkout.store import payments as payment_store
from services.checkout.store import refunds as refund_store
from services.checkout.store.refunds import Pursued
from services.checkout.stripe_api import StripeDenied, StripeRefused, open_stripe
from shared.ids import uuid7
from tests.integration.checkout.conftest import PATIENCE_S, an_order, settings_for
from tests.integration.checkout.money import (
    a_paid_order,
    a_refund_event,
    given_back,
    hear_money,
    order_id_of,
    quiet,
    refunds_of,
    row_of,
    want,
)
from tests.integration.checkout.test_confirmation import charges_of, confirmed
from tests.integration.checkout.test_payments import a_failure, hear, journal_of, state_of, stock_of
from tests.integration.checkout.test_saved_cards import cards, delete, members, with_a_card

__all__ = ["members"]  # a fixture


@pytest.fixture
async def locked_out(clean, amqp_url, stripe, checkout):
    """The till while Stripe answers 401 to all that it asks."""
    settings = settings_for(clean, amqp_url, stripe.url, stripe_secret_key="sk_test_revoked-")
    async with open_stripe(settings) as refusing:
        yield replace(checkout.till, stripe=refusing)


RESTING = """
    SELECT extract(epoch FROM lease_until - clock_timestamp())::float
    FROM checkout.payment_attempts WHERE operation = 'create_refund' AND state = 'unknown'
        AND lease_until > clock_timestamp() + interval '1 second'
"""


# Of an order whose attempt has succeeded: one that was refused, written so much later.
REFUSED_BESIDE = """
    INSERT INTO checkout.payment_attempts (id, order_id, operation, request, state, lease_until, created_at)
    SELECT gen_random_uuid(), order_id, operation, request, 'refused', now(), created_at + $1
    FROM checkout.payment_attempts RETURNING *
"""


async def attempts_of(owner) -> list[tuple[str, str, str]]:
    rows = await owner.fetch("SELECT operation, state, error_code FROM checkout.payment_attempts ORDER BY created_at")
    return [tuple(row) for row in rows]


async def test_a_revoked_key_gives_back_no_goods_that_can_still_be_paid(checkout, locked_out, stripe, owner):
    _, placed = await checkout.place(an_order(quantity=3))
    with pytest.raises(StripeDenied):
        await expiry.expire(locked_out, order_id_of(placed))
    assert (await state_of(owner, placed))[0] == "awaiting"
    assert await stock_of(owner) == (60, 3)
    assert (await attempts_of(owner))[1] == ("cancel_intent", "unknown", "payment_provider_denied")
    await expiry.expire(checkout.till, order_id_of(placed))
    assert [intent["status"] for intent in await stripe.intents()] == ["canceled"]
    assert ((await state_of(owner, placed))[0], await stock_of(owner)) == ("expired", (60, 0))
    assert len(await attempts_of(owner)) == 2  # the same key was asked again


@pytest.mark.parametrize(
    ("payment", "asked"), [("awaiting", [("cancel_intent", "refused", "resource_missing")]), ("processing", [])]
)
async def test_a_payment_that_stripe_says_it_does_not_know_is_not_taken_for_cancelled(
    checkout, stripe, owner, payment, asked
):
    """The key of another account."""
    _, placed = await checkout.place()
    for table in ("payment_attempts", "payments"):
        await owner.execute(f"UPDATE checkout.{table} SET payment_intent_id = 'pi_elsewhere'")
    await owner.execute("UPDATE checkout.orders SET payment = $1", payment)
    with pytest.raises(StripeRefused):
        await expiry.expire(checkout.till, order_id_of(placed))
    assert ((await state_of(owner, placed))[0], await stock_of(owner)) == (payment, (60, 1))
    assert (await attempts_of(owner))[1:] == asked
    assert await owner.fetchval("SELECT expiry_due_at - now() > interval '50 minutes' FROM checkout.orders")


async def test_a_revoked_key_does_not_end_a_confirmation_of_unknown_outcome(shop, locked_out, stripe, owner):
    await stripe.fault(kind="drop_after", method="POST", path="/v1/payment_intents", times=None)
    body, key = await confirmed(stripe), str(uuid4())
    assert (await shop.place(body, key))[0] == 503
    await stripe.control("DELETE", "faults")
    order_id = await owner.fetchval("SELECT id FROM checkout.orders")
    with pytest.raises(StripeDenied):
        await expiry.expire(locked_out, order_id)
    assert await attempts_of(owner) == [("create_intent", "unknown", "payment_provider_denied")]
    assert await stock_of(owner) == (60, 1)
    await expiry.expire(shop.till, order_id)
    assert await owner.fetchval("SELECT payment FROM checkout.orders") == "paid"
    assert await charges_of(stripe) == ["succeeded"]


@pytest.mark.parametrize("days", [0, 2])
async def test_a_repeat_that_is_refused_does_not_say_that_the_first_made_nothing(checkout, stripe, owner, days):
    """With the key still known to Stripe, that is a conflict; once it is forgotten, a request that is too small."""
    _, placed = await checkout.place()
    await owner.execute(
        "UPDATE checkout.payment_attempts SET state = 'unknown', payment_intent_id = NULL,"
        " request = jsonb_set(request, '{amount}', '10')"
    )
    await stripe.control("POST", "clock/advance", {"seconds": days * 86_400})
    await expiry.expire(checkout.till, order_id_of(placed))
    assert [intent["status"] for intent in await stripe.intents()] == ["canceled"]
    assert ((await state_of(owner, placed))[0], await stock_of(owner)) == ("expired", (60, 0))


async def test_a_payment_that_an_event_told_of_is_cancelled_though_its_creation_was_refused(checkout, stripe, owner):
    _, placed = await checkout.place()
    await owner.execute("UPDATE checkout.payment_attempts SET state = 'refused', payment_intent_id = NULL")
    await expiry.expire(checkout.till, order_id_of(placed))
    assert [intent["status"] for intent in await stripe.intents()] == ["canceled"]
    assert ((await state_of(owner, placed))[0], await stock_of(owner)) == ("expired", (60, 0))


async def test_a_payment_that_an_event_told_of_meanwhile_is_cancelled_before_goods_come_back(checkout, stripe, owner):
    """The attempt turns out to have made none; the order has one all the same."""
    _, placed = await checkout.place()
    await owner.execute(
        "UPDATE checkout.payment_attempts SET id = gen_random_uuid(), state = 'unknown', payment_intent_id = NULL,"
        " request = jsonb_set(request, '{amount}', '10')"
    )
    await expiry.expire(checkout.till, order_id_of(placed))
    assert ((await state_of(owner, placed))[0], await stock_of(owner)) == ("awaiting", (60, 1))
    await expiry.expire(checkout.till, order_id_of(placed))
    assert [intent["status"] for intent in await stripe.intents()] == ["canceled"]
    assert ((await state_of(owner, placed))[0], await stock_of(owner)) == ("expired", (60, 0))


async def test_all_payments_of_an_order_are_cancelled_before_its_goods_come_back(checkout, stripe, owner):
    """A second one, that a reconciliation found. It was never cancelled, and the goods stayed reserved for ever."""
    _, placed = await checkout.place()
    form = {"amount": str(placed["order"]["total_minor"]), "currency": "usd"}
    _, second = await stripe.post("payment_intents", **form, **{"metadata[order_id]": placed["order"]["id"]})
    await hear(checkout, a_failure({**placed, "payment_intent_id": second["id"]}))
    for _ in range(2):
        await expiry.expire(checkout.till, order_id_of(placed))
    assert [intent["status"] for intent in await stripe.intents()] == ["canceled", "canceled"]
    assert ((await state_of(owner, placed))[0], await stock_of(owner)) == ("expired", (60, 0))


async def test_an_attempt_that_goes_on_is_not_taken_for_refused_because_clocks_differ(checkout, stripe, owner):
    """It took the place of one that was refused, and was written by a process whose clock is behind."""
    _, placed = await checkout.place()
    await owner.execute(REFUSED_BESIDE, timedelta(seconds=1))
    await owner.execute(
        "UPDATE checkout.payment_attempts SET state = 'unknown', payment_intent_id = NULL WHERE state = 'succeeded'"
    )
    await owner.execute("DELETE FROM checkout.payments")
    await expiry.expire(checkout.till, order_id_of(placed))
    assert [intent["status"] for intent in await stripe.intents()] == ["canceled"]


async def test_who_comes_too_late_does_not_begin_a_creation_anew(checkout, stripe, owner):
    """Two had the attempt, one after the other's lease; the first began anew and has made the PaymentIntent."""
    await checkout.place()
    stale = payment_store._attempt(await owner.fetchrow(REFUSED_BESIDE, timedelta(seconds=-1)))
    await payments._start_anew(checkout.till.pool, stale, "stored_error")
    assert [state for _, state, _ in await attempts_of(owner)] == ["refused", "succeeded"]


async def test_a_revoked_key_does_not_end_the_deletion_of_a_card(members, locked_out, stripe, owner):
    card = await with_a_card(members, stripe)
    shopper = Shopper("ada")
    await stripe.fault(kind="drop_before", method="POST", path="/v1/payment_methods/*/detach", times=3)
    assert await delete(members, card) == 503
    with pytest.raises(StripeDenied):
        await customers.delete_card(members.till.pool, locked_out.stripe, members.till.settings, shopper, card)
    assert [kept["id"] for kept in await cards(members)] == [card]
    assert await delete(members, card) == 204
    assert await cards(members) == []
    assert (
        await owner.fetchval("SELECT count(*) FROM checkout.customer_attempts WHERE operation = 'detach_method'") == 1
    )


# Refunds. Asked for again, one that was made would be paid twice.


async def a_lost_answer(checkout, stripe, owner, amount_minor=None, **attempt: str):
    """An order, and a refund of it that Stripe made and we know nothing of, leased to the test."""
    placed = await a_paid_order(checkout, stripe)
    refund = await want(checkout, placed, amount_minor=amount_minor)
    await quiet(checkout)
    wanted = {"state": "'unknown'", "lease_until": "now() + interval '1 hour'", **attempt}
    changes = ", ".join(f"{column} = {value}" for column, value in wanted.items())
    async with owner.transaction():
        await owner.execute(f"UPDATE checkout.payment_attempts SET {changes} WHERE id = $1", refund.attempt_id)
        await owner.execute("UPDATE checkout.refunds SET state = 'requested', stripe_refund_id = NULL")
    async with checkout.till.pool.worker() as conn:
        row = await conn.fetchrow("SELECT * FROM payment_attempts WHERE id = $1", refund.attempt_id)
        return placed, Pursued(await refund_store.select_refund(conn, refund.id), refund_store._attempt(row))


async def test_a_revoked_key_does_not_end_a_refund_of_unknown_outcome(checkout, locked_out, stripe, owner):
    placed, pursued = await a_lost_answer(checkout, stripe, owner, amount_minor=500)
    with pytest.raises(StripeDenied):
        await pursuing.pursue(locked_out, pursued)
    assert await refunds_of(owner, placed) == [(500, "requested", "staff ada")]
    await owner.execute("UPDATE checkout.payment_attempts SET lease_until = now()")  # else asked again in a minute
    await quiet(checkout)
    assert await refunds_of(owner, placed) == [(await given_back(stripe, placed), "succeeded", "staff ada")]


async def test_a_refund_that_was_made_is_not_refused_because_its_repeat_is(checkout, stripe, owner):
    """Stripe may forget a key earlier than it says: all is given back already, so the repeat is refused."""
    placed, pursued = await a_lost_answer(checkout, stripe, owner)
    await stripe.control("POST", "clock/advance", {"seconds": 2 * 86_400})
    await pursuing.pursue(checkout.till, pursued)
    assert await refunds_of(owner, placed) == [(await given_back(stripe, placed), "succeeded", "staff ada")]
    assert (await row_of(owner, placed))[3] == "none"


async def test_a_refund_that_stripe_shows_after_all_is_booked_and_not_given_again(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe)
    wish = RefundWanted(uuid7(), "sent back", lines={0: 1}, restock=True)
    async with checkout.till.pool.worker() as conn:
        refund = await refunds.request(conn, order_id_of(placed), wish, "staff ada")
        order = await order_store.select_order_for_update(conn, refund.order_id)
        await refunds.refuse(conn, order, refund, "charge_gone")
    assert (await row_of(owner, placed))[3:] == ("refund_failed", 0)
    form = {"payment_intent": refund.payment_intent_id, "amount": str(refund.amount_minor)}
    assert (await stripe.post("refunds", **form, **{"metadata[refund_id]": str(refund.id)}))[0] == 200
    for _ in range(2):
        await hear_money(checkout, a_refund_event(placed))
        await quiet(checkout)
    assert await refunds_of(owner, placed) == [(refund.amount_minor, "succeeded", "staff ada")]
    assert (await row_of(owner, placed))[3:] == ("none", refund.amount_minor)
    assert await stock_of(owner) == await journal_of(owner) == (59, 0)
    assert await owner.fetchval("SELECT count(*) FROM checkout.ledger_transactions WHERE kind = 'refund'") == 1
    with pytest.raises(RefundTooLarge):
        await want(checkout, placed, amount_minor=refund.amount_minor + 1)


async def test_a_refund_whose_process_died_with_it_is_looked_for_once_its_key_is_old(checkout, stripe, owner):
    old = {"state": "'pending'", "created_at": "now() - interval '2 days'"}
    placed, pursued = await a_lost_answer(checkout, stripe, owner, amount_minor=500, **old)
    await stripe.control("POST", "clock/advance", {"seconds": 2 * 86_400})
    await pursuing.pursue(checkout.till, pursued)
    assert await refunds_of(owner, placed) == [(await given_back(stripe, placed), "succeeded", "staff ada")]


async def test_a_refund_for_which_stripe_has_no_time_rests_and_lets_others_pass(checkout, stripe, owner):
    """Asked again at once, eight of them were asked seventy times a second, and no other had a turn."""
    placed = await a_paid_order(checkout, stripe)
    await stripe.fault(kind="rate_limit", reason=None, method="POST", path="/v1/refunds", times=None)
    await want(checkout, placed, amount_minor=100)
    async with asyncio.timeout(PATIENCE_S):
        while not (rest_s := await owner.fetchval(RESTING)):
            await asyncio.sleep(0.02)
    assert 1 < rest_s <= 2
    async with checkout.till.pool.worker() as conn:
        for amount_minor in (200, 300):
            wish = RefundWanted(uuid7(), "sent back", amount_minor=amount_minor)
            await refunds.request(conn, order_id_of(placed), wish, "staff ada")
        await conn.execute("UPDATE payment_attempts SET lease_until = now() WHERE request ->> 'amount' = '200'")
        [pursued] = await refund_store.claim_requested(conn, 0, 1)
    assert pursued.refund.amount_minor == 300
    await stripe.control("DELETE", "faults")
    await quiet(checkout)
    assert await given_back(stripe, placed) == 600
