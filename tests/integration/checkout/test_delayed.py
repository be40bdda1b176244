"""Methods whose money takes days, such as a SEPA debit: the goods are kept, and the bank's answer is fetched."""

import asyncio
from datetime import datetime, timedelta

import orjson

from tests.integration.checkout.conftest import PATIENCE_S, SHOP, an_order
from tests.integration.checkout.test_expiry import until
from tests.integration.checkout.test_payments import staged, stock_of

PAYS, REFUSES = "AT611904300234573201", "AT861904300235473202"
DAY_S = 86_400


def a_debit(iban: str) -> dict[str, str]:
    return {"payment_method_data[type]": "sepa_debit", "payment_method_data[sepa_debit][iban]": iban}


async def debited(checkout, stripe, iban: str = PAYS):
    """An order that its customer's browser has confirmed with a debit."""
    _, placed = await checkout.place(an_order(currency="eur"))
    form = {**a_debit(iban), "return_url": SHOP}
    _, intent = await stripe.post(f"payment_intents/{placed['payment_intent_id']}/confirm", **form)
    assert intent["status"] == "processing", intent
    return placed


async def look(owner) -> None:
    await owner.execute("UPDATE checkout.orders SET expiry_due_at = now()")


async def kept(owner) -> datetime:
    """Until when the goods are kept, once the job has looked again."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            row = await owner.fetchrow(
                "SELECT reserved_until, expiry_due_at > now() + interval '1 h' FROM checkout.orders"
            )
            if row[1]:
                return row[0]
            await asyncio.sleep(0.05)


async def test_money_on_its_way_keeps_the_goods_until_the_bank_has_paid_days_later(checkout, stripe, owner):
    """No event arrives in this test: the job that asks Stripe is enough."""
    placed = await debited(checkout, stripe)
    await look(owner)  # the half hour is over
    await until(owner, placed, "processing")
    await look(owner)
    assert await kept(owner) == datetime.fromisoformat(placed["order"]["placed_at"]) + timedelta(days=14)
    assert [intent["status"] for intent in await stripe.intents()] == ["processing"]
    assert await stock_of(owner) == (60, 1)
    headers = {"Authorization": f"Bearer {placed['order_token']}"}
    _, order = await checkout.get(f"/v1/orders/{placed['order']['id']}", headers=headers)
    assert order["reading"] == "payment on its way"

    await stripe.control("POST", "clock/advance", {"seconds": 6 * DAY_S})
    await look(owner)
    await until(owner, placed, "paid")
    assert await stock_of(owner) == (59, 0)


async def test_a_debit_that_fails_days_later_leaves_a_day_for_another_card(checkout, stripe, owner):
    placed = await debited(checkout, stripe, REFUSES)
    await look(owner)
    await until(owner, placed, "processing")
    await stripe.control("POST", "clock/advance", {"seconds": 6 * DAY_S})
    await look(owner)
    await until(owner, placed, "failed")
    day = await kept(owner) - datetime.now().astimezone()
    assert timedelta(hours=23) < day <= timedelta(days=1)
    told = await owner.fetchval("SELECT body FROM checkout.outbox WHERE type = 'order.payment_failed'")
    assert datetime.fromisoformat(orjson.loads(told)["reserved_until"]) == await kept(owner)
    assert await stock_of(owner) == (60, 1)
    status, _ = await stripe.pay(placed["payment_intent_id"])
    assert status == 200
    await look(owner)
    await until(owner, placed, "paid")
    assert await staged(owner, "order.payment_failed") == 1


async def test_nothing_is_asked_of_stripe_but_to_show_it_while_money_is_on_its_way(checkout, stripe, owner):
    """A cancellation would be refused, or, in what Stripe calls rare cases, not be."""
    placed = await debited(checkout, stripe)
    await owner.execute("UPDATE checkout.orders SET payment = 'processing', expiry_due_at = now()")
    await kept(owner)
    operations = await owner.fetch("SELECT operation FROM checkout.payment_attempts")
    assert [row["operation"] for row in operations] == ["create_intent"]
    assert placed["order"]["id"]


async def test_ordering_and_paying_in_one_step_with_a_debit(shop, stripe, owner):
    _, token = await stripe.post("test_helpers/confirmation_tokens", **a_debit(PAYS))
    body = an_order(currency="eur", confirmation_token=token["id"], return_url=f"{SHOP}/order")
    status, placed = await shop.place(body)
    assert (status, placed["payment_status"], placed["order"]["reading"]) == (201, "processing", "payment on its way")
