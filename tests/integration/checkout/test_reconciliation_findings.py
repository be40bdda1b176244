"""What reconciliation may not put right by itself: it is raised, once, and settled when it is so no longer."""

from datetime import UTC, datetime, timedelta

import pytest

from services.checkout import jobs
from services.checkout.actions.reconciling import people
from services.monitor.actions.gathering import reconciliation_of
from services.monitor.domain.sightings import Sightings
from shared import metrics
from shared.errors import NotFound
from shared.ids import uuid7
from tests.integration.checkout.comparing import (
    findings_of,
    listed,
    lose_rows,
    of_objects,
    reconcile,
    until_settled,
)
from tests.integration.checkout.money import a_paid_order, quiet, row_of, timeline_of

A_PAYMENT = {
    "amount": "2500",
    "currency": "usd",
    "confirm": "true",
    "payment_method": "pm_card_visa",
    "return_url": "http://127.0.0.1/",
}


async def test_money_of_no_order_is_raised_once_and_settled_when_it_is_given_back(checkout, clean, stripe, owner):
    _, theirs = await stripe.post("payment_intents", **A_PAYMENT, **{"metadata[order_id]": str(uuid7())})
    assert of_objects(await reconcile(checkout, clean)) == (0, 1)
    assert of_objects(await reconcile(checkout, clean)) == (0, 0)
    assert await findings_of(owner) == [("no_order", theirs["id"], True)]
    await stripe.post("refunds", payment_intent=theirs["id"])
    await reconcile(checkout, clean)
    assert await findings_of(owner) == [("no_order", theirs["id"], False)]


async def test_money_of_another_shop_on_the_same_account_is_none_of_ours_if_we_are_told_so(checkout, clean, stripe):
    await stripe.control("POST", "seed", {"payments": 1})
    await stripe.post("payment_intents", **A_PAYMENT, **{"metadata[order_id]": str(uuid7())})  # it runs KCT, too
    assert of_objects(await reconcile(checkout, clean, is_shared=True)) == (0, 0)
    assert of_objects(await reconcile(checkout, clean)) == (0, 2)


async def test_a_payment_of_another_amount_holds_the_order(checkout, clean, stripe, owner):
    _, placed = await checkout.place()
    await stripe.post(f"payment_intents/{placed['payment_intent_id']}", amount="100")
    assert of_objects(await reconcile(checkout, clean)) == (0, 1)
    assert (await row_of(owner, placed))[3] == "payment_differs"
    assert "needs a look" in await timeline_of(owner, placed)


async def test_other_money_that_came_in_settles_nothing_and_holds_the_order(checkout, clean, stripe, owner):
    _, placed = await checkout.place()
    await stripe.post(f"payment_intents/{placed['payment_intent_id']}", amount="100")
    await stripe.pay(placed["payment_intent_id"])
    await reconcile(checkout, clean)
    assert (await row_of(owner, placed))[0::3] == ("awaiting", "payment_differs")
    assert await findings_of(owner) == [("amount_differs", placed["payment_intent_id"], True)]


async def test_which_of_two_payments_settled_the_order_is_read_in_the_books_and_not_guessed(
    checkout, clean, stripe, owner
):
    """The second one is surplus; without the first one's row it could be taken for it, and the wrong one given back."""
    placed = await a_paid_order(checkout, stripe, quantity=1)
    total, first = str(placed["order"]["total_minor"]), placed["payment_intent_id"]
    ours = {"metadata[order_id]": placed["order"]["id"]}
    _, second = await stripe.post("payment_intents", **{**A_PAYMENT, "amount": total, **ours})
    await lose_rows(owner, [first])
    await reconcile(checkout, clean)
    await quiet(checkout)
    await reconcile(checkout, clean)
    assert [each["payment_intent"] for each in await listed(stripe, "refunds")] == [second["id"]]
    settles = await owner.fetch("SELECT payment_intent_id FROM checkout.payments WHERE settles")
    assert [row["payment_intent_id"] for row in settles] == [first]
    assert (await row_of(owner, placed))[3] == "none"
    assert not any(is_open for _, _, is_open in await findings_of(owner))


async def test_surplus_money_that_the_bank_took_back_is_no_difference(checkout, clean, stripe, owner):
    placed = await a_paid_order(checkout, stripe, quantity=1)
    total = str(placed["order"]["total_minor"])
    ours = {"metadata[order_id]": placed["order"]["id"]}
    _, second = await stripe.post("payment_intents", **{**A_PAYMENT, "amount": total, **ours})
    dispute = await stripe.control("POST", "disputes", {"payment_intent": second["id"]})
    await stripe.control("POST", f"disputes/{dispute['id']}", {"outcome": "lose"})
    assert of_objects(await reconcile(checkout, clean)) == (1, 0)
    assert (await row_of(owner, placed))[2:4] == ("lost", "none")
    assert of_objects(await reconcile(checkout, clean)) == (0, 0)


async def test_a_paid_order_whose_payment_stripe_does_not_know_is_raised(checkout, clean, stripe, owner):
    await a_paid_order(checkout, stripe)
    await stripe.control("POST", "reset", {})
    await reconcile(checkout, clean)
    assert [kind for kind, _, is_open in await findings_of(owner) if is_open] == ["not_at_stripe"]


async def test_an_order_that_outlives_its_reservation_is_raised(checkout, clean, stripe, owner):
    _, placed = await checkout.place()
    await owner.execute("UPDATE checkout.orders SET reserved_until = now() - interval '2 hours'")
    await owner.execute("UPDATE checkout.orders SET placed_at = now() - interval '30 days'")
    await reconcile(checkout, clean)
    assert await findings_of(owner) == [("stuck", placed["payment_intent_id"], True)]
    await stripe.post(f"payment_intents/{placed['payment_intent_id']}/cancel")
    assert of_objects(await reconcile(checkout, clean)) == (1, 0)
    assert (await findings_of(owner), (await row_of(owner, placed))[0]) == (
        [("stuck", placed["payment_intent_id"], False)],
        "expired",
    )


async def test_what_is_booked_otherwise_than_stripe_settled_it_is_raised(checkout, clean, stripe, owner):
    await a_paid_order(checkout, stripe)
    (settled,) = await until_settled(stripe, 1)
    await reconcile(checkout, clean)
    async with owner.transaction():
        await owner.execute("ALTER TABLE checkout.ledger_entries DISABLE TRIGGER USER")
        await owner.execute("UPDATE checkout.ledger_entries SET amount_minor = amount_minor * 2")
        await owner.execute("ALTER TABLE checkout.ledger_entries ENABLE TRIGGER USER")
    await reconcile(checkout, clean)
    assert await findings_of(owner) == [("balance_differs", settled["id"], True)]


async def test_a_person_settles_a_finding_until_stripe_says_something_else(checkout, clean, stripe, owner):
    _, theirs = await stripe.post("payment_intents", **A_PAYMENT)
    await reconcile(checkout, clean)
    async with checkout.till.pool.worker() as conn:
        assert await people.leave_alone(conn, theirs["id"], "ops ada", "a gift card, sold by hand") == ["no_order"]
    assert of_objects(await reconcile(checkout, clean)) == (0, 0)
    await stripe.post("refunds", payment_intent=theirs["id"], amount="500")
    assert of_objects(await reconcile(checkout, clean)) == (0, 1)
    async with checkout.till.pool.worker() as conn:
        with pytest.raises(NotFound):
            await people.leave_alone(conn, "pi_nothing", "ops ada", "why")


async def test_the_monitor_reads_in_the_figures_what_is_open_and_that_it_is_settled(checkout, clean, stripe, owner):
    _, theirs = await stripe.post("payment_intents", **A_PAYMENT)
    await reconcile(checkout, clean)
    assert (await as_the_monitor_hears_it(checkout)).findings["no_order"] == 1
    await stripe.post("refunds", payment_intent=theirs["id"])
    await reconcile(checkout, clean)
    heard = await as_the_monitor_hears_it(checkout)
    assert (heard.findings["no_order"], heard.age < timedelta(minutes=1)) == (0, True)


async def as_the_monitor_hears_it(checkout):
    await jobs.measure_reconciliation(checkout.till.pool)
    now = datetime.now(UTC)
    sightings = Sightings(now, stale_after_s=30)
    sightings.hear("checkout", "one", metrics.parse_snapshot(metrics.snapshot()), now)
    return reconciliation_of(sightings)


async def test_a_refund_that_moved_on_unheard_is_put_right(checkout, clean, stripe, owner):
    """The sum is the same while it is pending and when it has succeeded: its state counts."""
    placed = await a_paid_order(checkout, stripe, card="pm_card_pendingRefund")
    await stripe.post("refunds", payment_intent=placed["payment_intent_id"])
    await reconcile(checkout, clean)
    assert (await row_of(owner, placed))[4] == 0
    await stripe.control("POST", "clock/advance", {"seconds": 3600})
    assert of_objects(await reconcile(checkout, clean, overlap=checkout.till.settings.reconciliation().overlap)) == (
        1,
        0,
    )
    assert (await row_of(owner, placed))[4] == placed["order"]["total_minor"]
