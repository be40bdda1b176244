"""Disputes and reviews: what the object says counts, not the name of the event; and every order of news ends alike."""

import random
from itertools import permutations

import pytest

from services.checkout import consumers
from services.checkout.actions import resync
from services.checkout.domain import Resync
from shared.events import (
    DisputeClosed,
    DisputeCreated,
    DisputeFundsReinstated,
    PaymentActionRequired,
    PaymentProcessing,
    ReviewClosed,
    ReviewOpened,
)
from tests.integration.checkout.conftest import SKU, an_order
from tests.integration.checkout.money import (
    a_dispute_event,
    a_paid_order,
    a_refund_event,
    a_review_event,
    hear_money,
    quiet,
    refunds_of,
    row_of,
)
from tests.integration.checkout.test_payments import a_failure, a_success, an_event, staged, stock_of


async def disputed(stripe, placed, **options) -> str:
    opened = await stripe.control("POST", "disputes", {"payment_intent": placed["payment_intent_id"], **options})
    return opened["id"]


async def decided(stripe, dispute_id: str, outcome: str) -> None:
    await stripe.control("POST", f"disputes/{dispute_id}", {"outcome": outcome})


@pytest.mark.parametrize(("outcome", "shown"), [("win", "won"), ("lose", "lost")])
async def test_a_dispute_is_shown_until_the_bank_decides(checkout, stripe, owner, outcome, shown):
    placed = await a_paid_order(checkout, stripe)
    dispute = await disputed(stripe, placed)
    await hear_money(checkout, a_dispute_event(placed))
    await quiet(checkout)
    assert (await row_of(owner, placed))[2] == "open"
    await decided(stripe, dispute, outcome)
    await hear_money(checkout, a_dispute_event(placed, DisputeClosed))
    await quiet(checkout)
    assert (await row_of(owner, placed))[2] == shown
    assert await staged(owner, "order.disputed") == 2


async def test_funds_reinstated_is_not_read_as_won(checkout, stripe, owner):
    """hyperswitch PR #11653: the event's name says little; the dispute is still under review."""
    placed = await a_paid_order(checkout, stripe)
    dispute = await disputed(stripe, placed)
    await stripe.control("POST", f"disputes/{dispute}", {"status": "under_review"})
    await hear_money(checkout, a_dispute_event(placed, DisputeFundsReinstated, status="won"))
    await quiet(checkout)
    assert (await row_of(owner, placed))[2] == "open"


async def test_an_inquiry_takes_no_money_and_leaves_the_way_for_a_refund(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe)
    dispute = await disputed(stripe, placed, inquiry=True)
    await hear_money(checkout, a_dispute_event(placed))
    await quiet(checkout)
    assert (await row_of(owner, placed))[2] == "inquiry"
    await decided(stripe, dispute, "win")
    await hear_money(checkout, a_dispute_event(placed, DisputeClosed))
    await quiet(checkout)
    assert (await row_of(owner, placed))[2] == "closed"


async def test_a_dispute_on_an_expired_order_does_not_touch_stock(checkout, stripe, owner):
    """woocommerce-gateway-stripe #2598: a dispute on a cancelled order put stock back."""
    _, placed = await checkout.place()
    await stripe.pay(placed["payment_intent_id"])
    await owner.execute("UPDATE checkout.orders SET payment = 'expired'")
    dispute = await disputed(stripe, placed)
    before = await owner.fetchval("SELECT count(*) FROM checkout.stock_journal"), await stock_of(owner)
    await hear_money(checkout, a_dispute_event(placed))
    await quiet(checkout)
    await decided(stripe, dispute, "lose")
    await hear_money(checkout, a_dispute_event(placed, DisputeClosed))
    await quiet(checkout)
    assert (await row_of(owner, placed))[:3] == ("expired", "none", "lost")
    assert (await owner.fetchval("SELECT count(*) FROM checkout.stock_journal"), await stock_of(owner)) == before
    # The bank has taken the money back: a refund on top would be a second one.
    assert await refunds_of(owner, placed) == []


async def test_a_review_holds_the_order_and_its_end_releases_it(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe)
    review = await stripe.control("POST", "reviews", {"payment_intent": placed["payment_intent_id"]})
    await hear_money(checkout, a_review_event(placed))
    await quiet(checkout)
    assert (await row_of(owner, placed))[3] == "review"
    await stripe.control("POST", f"reviews/{review['id']}", {"reason": "approved"})
    await hear_money(checkout, a_review_event(placed, ReviewClosed, is_open=False))
    await hear_money(checkout, a_review_event(placed, ReviewOpened))  # late
    await quiet(checkout)
    assert (await row_of(owner, placed))[3] == "none"
    assert (await staged(owner, "order.held"), await staged(owner, "order.released")) == (1, 1)


async def test_an_event_of_a_payment_that_is_not_ours_is_left_alone(checkout, owner):
    await hear_money(checkout, a_refund_event({"payment_intent_id": "pi_of_another_shop"}))
    assert await owner.fetchval("SELECT count(*) FROM checkout.resyncs") == 0


class Back(Exception):
    """Ends a transaction without keeping anything of it."""


KINDS = ("created", "processing", "failed", "succeeded", "refunded", "disputed")


@pytest.mark.parametrize("first", KINDS)
async def test_every_permutation_of_the_news_ends_in_the_same_state(checkout, stripe, owner, first):
    """Created, processing, failed, succeeded, refunded, disputed: in all 720 orders, each told once or twice.

    At Stripe the payment is paid, partly refunded in the Dashboard, disputed and lost. Each permutation is told to
    the same fresh order, in a transaction that is taken back afterwards.
    """
    dice = random.Random(first)
    _, placed = await checkout.place(an_order(quantity=1))
    await stripe.pay(placed["payment_intent_id"])
    await stripe.post("refunds", payment_intent=placed["payment_intent_id"], amount="500")
    await decided(stripe, await disputed(stripe, placed), "lose")
    view = await checkout.till.stripe.look_at(placed["payment_intent_id"])
    told = 0
    for order in (found for found in permutations(KINDS) if found[0] == first):
        with pytest.raises(Back):
            async with checkout.till.pool.worker() as conn:
                for kind in order:
                    for _ in range(dice.choice((1, 2))):
                        await _tell(conn, kind, placed)
                wanted = await conn.fetchrow("SELECT payment_intent_id, order_id, reason, requests FROM resyncs")
                await resync.apply(conn, Resync(**wanted), view)
                await conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
                assert await _end(conn) == (("paid", "none", "lost", "none", 500), (59, 0), [(500, "succeeded")]), order
                told += 1
                raise Back
    assert told == 120


async def _end(conn) -> tuple:
    row = await conn.fetchrow("SELECT payment, fulfilment, dispute, hold, refunded_minor FROM orders")
    stock = await conn.fetchrow("SELECT on_hand, reserved FROM stock WHERE sku = $1", SKU)
    refunds = await conn.fetch("SELECT amount_minor, state FROM refunds")
    return tuple(row), tuple(stock), [tuple(refund) for refund in refunds]


async def _tell(conn, kind: str, placed) -> None:
    match kind:
        case "created":
            await consumers.on_payment_progress(conn, an_event(PaymentActionRequired, placed, "requires_action"))
        case "processing":
            await consumers.on_payment_progress(conn, an_event(PaymentProcessing, placed, "processing"))
        case "failed":
            await consumers.on_payment_failed(conn, a_failure(placed))
        case "succeeded":
            await consumers.on_payment_succeeded(conn, a_success(placed))
        case "refunded":
            await consumers.on_money_moved(conn, a_refund_event(placed))
        case "disputed":
            await consumers.on_money_moved(conn, a_dispute_event(placed, DisputeCreated))
