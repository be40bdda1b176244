"""The books: every cent that Stripe moves is in them once, also when it comes late, and they can't be cooked."""

import asyncio

import asyncpg
import pytest

from services.checkout import jobs
from services.checkout.store import ledger as store
from shared.ids import uuid7
from tests.integration.checkout.conftest import PATIENCE_S
from tests.integration.checkout.money import (
    a_dispute_event,
    a_paid_order,
    a_refund_event,
    hear_money,
    order_id_of,
    quiet,
    want,
)
from tests.integration.checkout.test_confirmation import CREATE, confirmed
from tests.integration.checkout.test_payments import a_success, hear

PRICE = 6500
FEE = 219  # 2.9 % and 30 cents


async def books(owner) -> dict[str, int]:
    rows = await owner.fetch(
        "SELECT account, sum(amount_minor)::bigint AS total FROM checkout.ledger_entries GROUP BY account"
    )
    return {row["account"]: row["total"] for row in rows if row["total"]}


async def settled(checkout, owner, stripe) -> dict[str, int]:
    """The books once Stripe's balance has been looked at until nothing is new."""
    await asyncio.sleep(0.2)  # the stand-in books a payment 0.05 s after it
    await owner.execute("UPDATE checkout.balance_poll SET due_at = '-infinity'")
    await jobs.book_balance(checkout.till)
    async with asyncio.timeout(PATIENCE_S):
        while await balance_at(stripe) != (found := await books(owner)).get("stripe_balance", 0):
            await owner.execute("UPDATE checkout.balance_poll SET due_at = '-infinity'")
            await asyncio.sleep(0.1)
    assert sum(found.values()) == 0
    return found


async def balance_at(stripe) -> int:
    """What Stripe itself says we have."""
    headers = {"Authorization": "Bearer sk_test_standin"}
    async with stripe.http.get(f"{stripe.url}/v1/balance", headers=headers) as response:
        told = await response.json()
    return sum(funds["amount"] for kind in ("available", "pending") for funds in told[kind])


async def test_the_fee_comes_later_than_the_payment(checkout, stripe, owner):
    await a_paid_order(checkout, stripe, quantity=1)
    first = await books(owner)
    assert (first["sales"], first.get("fees", 0) in (0, FEE)) == (-PRICE, True)
    assert await settled(checkout, owner, stripe) == {"stripe_balance": PRICE - FEE, "fees": FEE, "sales": -PRICE}


async def test_a_balance_transaction_before_its_payment_comes_to_the_same(checkout, stripe, owner):
    _, placed = await checkout.place()
    await stripe.pay(placed["payment_intent_id"])
    await settled(checkout, owner, stripe)
    await hear(checkout, a_success(placed))
    assert await settled(checkout, owner, stripe) == {"stripe_balance": PRICE - FEE, "fees": FEE, "sales": -PRICE}


async def test_a_payment_whose_answer_was_lost_is_ours_before_anybody_has_heard_of_it(shop, stripe, owner):
    """Its attempt has no PaymentIntent yet, and what is booked is booked for good."""
    await stripe.fault(kind="drop_after", times=3, **CREATE)  # longer than the client's own retries
    body = await confirmed(stripe)
    assert (await shop.place(body, "key-of-a-lost-answer"))[0] == 503
    found = await settled(shop, owner, stripe)
    assert found == {"stripe_balance": PRICE - FEE, "fees": FEE, "stripe_pending": -PRICE}
    assert (await shop.place(body, "key-of-a-lost-answer"))[0] == 201
    assert await settled(shop, owner, stripe) == {"stripe_balance": PRICE - FEE, "fees": FEE, "sales": -PRICE}


async def test_looking_twice_books_nothing_twice(checkout, stripe, owner):
    await a_paid_order(checkout, stripe, quantity=1)
    once = await settled(checkout, owner, stripe)
    assert await settled(checkout, owner, stripe) == once


async def test_refunds_of_all_kinds_are_booked(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe, quantity=1)
    await want(checkout, placed, amount_minor=500)
    await stripe.post("refunds", payment_intent=placed["payment_intent_id"], amount="300")
    await hear_money(checkout, a_refund_event(placed))
    await quiet(checkout)
    found = await settled(checkout, owner, stripe)
    assert found == {"stripe_balance": PRICE - FEE - 800, "fees": FEE, "sales": -PRICE, "refunds": 800}


async def test_a_refund_that_fails_later_is_booked_back(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe, quantity=1, card="pm_card_refundFail")
    await want(checkout, placed)
    await quiet(checkout)
    await stripe.control("POST", "clock/advance", {"seconds": 5 * 86_400})
    await hear_money(checkout, a_refund_event(placed))
    await quiet(checkout)
    assert await settled(checkout, owner, stripe) == {"stripe_balance": PRICE - FEE, "fees": FEE, "sales": -PRICE}


async def test_money_that_is_given_back_by_itself_is_no_sale(checkout, stripe, owner):
    _, placed = await checkout.place()
    await stripe.pay(placed["payment_intent_id"])
    await owner.execute("UPDATE checkout.orders SET payment = 'expired'")
    await hear(checkout, a_success(placed))
    await quiet(checkout)
    assert await settled(checkout, owner, stripe) == {"stripe_balance": -FEE, "fees": FEE}


@pytest.mark.parametrize(("outcome", "lost", "fee"), [("lose", PRICE, 1500), ("win", 0, 0)])
async def test_a_dispute_takes_the_money_and_a_fee_and_gives_them_back_when_it_is_won(
    checkout, stripe, owner, outcome, lost, fee
):
    placed = await a_paid_order(checkout, stripe, quantity=1)
    dispute = await stripe.control("POST", "disputes", {"payment_intent": placed["payment_intent_id"]})
    await stripe.control("POST", f"disputes/{dispute['id']}", {"outcome": outcome})
    await hear_money(checkout, a_dispute_event(placed))
    await quiet(checkout)
    found = await settled(checkout, owner, stripe)
    assert (found.get("disputes", 0), found["fees"], found["sales"]) == (lost, FEE + fee, -PRICE)


async def test_a_payout_leaves_stripe_for_the_bank(checkout, stripe, owner):
    await a_paid_order(checkout, stripe, quantity=1)
    await settled(checkout, owner, stripe)
    await stripe.control("POST", "payouts", {"everything": True})
    assert await settled(checkout, owner, stripe) == {"payouts": PRICE - FEE, "fees": FEE, "sales": -PRICE}


async def test_a_payment_of_another_shop_on_the_account_is_kept_apart(checkout, stripe, owner):
    await stripe.control("POST", "seed", {"payments": 1, "amount": 5000})
    found = await settled(checkout, owner, stripe)
    assert found["other"] == -5000
    assert "stripe_pending" not in found


async def test_whose_a_payment_is_can_be_asked_without_reading_all_attempts(clean, owner):
    said = []
    await owner.execute("SET search_path = checkout")
    with owner.query_logger(lambda query: said.append((query.query, query.args))):
        await store.select_ours(owner, ["pi_1", "pi_2"])
        await asyncio.sleep(0)
    [(query, arguments)] = said
    await owner.execute("SET enable_seqscan = off")  # few rows would be read as a whole, and rightly so
    plan = "\n".join(row[0] for row in await owner.fetch(f"EXPLAIN {query}", *arguments))
    assert "payment_attempts_made" in plan
    assert "Seq Scan" not in plan


async def test_the_books_can_not_be_cooked(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe, quantity=1)
    for change in ("UPDATE checkout.ledger_entries SET amount_minor = 1", "DELETE FROM checkout.ledger_transactions"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute(change)
    one = "INSERT INTO checkout.ledger_transactions (id, kind, source, order_id) VALUES ($1, 'refund', $2, $3)"
    with pytest.raises(asyncpg.CheckViolationError, match="no entries"):
        await owner.execute(one, uuid7(), "re_1", order_id_of(placed))
    entry = "INSERT INTO checkout.ledger_entries VALUES ($1, $2, 'sales', $3, $4)"
    for entries in ([("usd", 5)], [("usd", 5), ("eur", -5)]):
        with pytest.raises(asyncpg.CheckViolationError, match="sum to zero"):
            async with owner.transaction():
                transaction_id = uuid7()
                await owner.execute(one, transaction_id, "re_1", order_id_of(placed))
                for position, (currency, amount) in enumerate(entries):
                    await owner.execute(entry, transaction_id, position, currency, amount)
    existing = await owner.fetchval("SELECT id FROM checkout.ledger_transactions LIMIT 1")
    with pytest.raises(asyncpg.CheckViolationError, match="sum to zero"):
        await owner.execute(entry, existing, 9, "usd", 5)
