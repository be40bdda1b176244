"""Whatever was missed or lost, a comparison with Stripe finds it: what is safe is put right, the rest is raised."""

import random

from services.checkout import jobs
from services.monitor.store import invariants
from tests.integration.checkout.comparing import (
    assert_all_is_as_at_stripe,
    gather,
    hear_all,
    listed,
    lose_rows,
    outcome,
    reconcile,
)
from tests.integration.checkout.conftest import an_order
from tests.integration.checkout.money import quiet

ORDERS = 200
BUDGET = 200
SKUS = [
    f"{name}-{size}"
    for name in ("OXFORD-SHIRT-WHIT", "OXFORD-SHIRT-SKYB", "POPLIN-SHIRT-WHIT", "POPLIN-SHIRT-PALE")
    for size in ("S", "M", "L", "XL")
]


async def a_day_of_business(checkout, stripe) -> list[dict]:
    """Orders of all fates: most are paid, some declined or left, some given back in the Dashboard, some disputed."""

    async def one(position: int) -> dict:
        _, placed = await checkout.place(an_order(sku=SKUS[position % len(SKUS)]))
        payment = placed["payment_intent_id"]
        if position % 20 == 7:
            return placed  # left unpaid
        await stripe.pay(payment, "pm_card_chargeDeclined" if position % 20 == 13 else "pm_card_visa")
        if position % 20 == 4:
            await stripe.post("refunds", payment_intent=payment)
        if position % 20 == 9:
            await stripe.post("refunds", payment_intent=payment, amount="500")
        if position % 20 == 16:
            await stripe.control("POST", "disputes", {"payment_intent": payment})
        return placed

    return await gather(ORDERS, one)


async def test_all_is_repaired_after_a_twentieth_of_events_and_of_payment_rows_is_lost(checkout, clean, stripe, owner):
    """In one run, within its budget."""
    dice = random.Random(57)
    placed = await a_day_of_business(checkout, stripe)
    events = (await listed(stripe, "events"))[::-1]
    lost = set(dice.sample([event["id"] for event in events], len(events) // 20))
    await hear_all(checkout, (event for event in events if event["id"] not in lost))
    await quiet(checkout)
    await jobs.book_balance(checkout.till)
    payments = [each["payment_intent_id"] for each in placed]
    await lose_rows(owner, dice.sample(payments, ORDERS // 20))
    assert await invariants.select_broken(clean.auditor_url)

    run = await reconcile(checkout, clean, reads=BUDGET)

    assert (run.stage, run.turns, outcome(run)[1]) == ("done", 1, 0)
    assert outcome(run)[0] >= ORDERS // 20
    assert run.reads <= BUDGET
    assert await invariants.select_broken(clean.auditor_url) == {}
    await assert_all_is_as_at_stripe(stripe, owner)
    assert outcome(await reconcile(checkout, clean)) == (0, 0)
