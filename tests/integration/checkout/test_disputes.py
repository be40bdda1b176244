"""Disputes and reviews: what the object says counts, not the name of the event; and every order of news ends alike."""

from dataclasses import replace
from itertools import product

import pytest

from services.checkout import consumers
from services.checkout.actions import resync
from services.checkout.domain import Resync
from services.checkout.store import payments as payment_store
from shared.events import (
    DisputeClosed,
    DisputeCreated,
    DisputeFundsReinstated,
    PaymentActionRequired,
    PaymentProcessing,
    ReviewClosed,
    ReviewOpened,
    decode,
)
from tests.integration.checkout.conftest import SKU, an_order
from tests.integration.checkout.money import (
    a_dispute_event,
    a_paid_order,
    a_refund_event,
    a_review_event,
    hear_money,
    order_id_of,
    quiet,
    refunds_of,
    row_of,
    timeline_of,
)
from tests.integration.checkout.test_expiry import until
from tests.integration.checkout.test_payments import a_failure, a_success, an_event, hear, staged, stock_of


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


async def test_an_answer_to_a_dispute_is_told_of_and_so_is_a_new_deadline(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe)
    dispute = await disputed(stripe, placed)

    async def told() -> list[bool]:
        await hear_money(checkout, a_dispute_event(placed))
        await quiet(checkout)
        bodies = await owner.fetch("SELECT body FROM checkout.outbox WHERE type = 'order.disputed' ORDER BY staged_at")
        return [decode(row["body"]).due_at is not None for row in bodies]

    assert await told() == [True]
    assert await told() == [True]  # nothing new
    await stripe.post(f"disputes/{dispute}", **{"evidence[uncategorized_text]": "she signed for it", "submit": "true"})
    assert await told() == [True, False]
    assert ((await row_of(owner, placed))[2], (await timeline_of(owner, placed))[-1]) == ("open", "dispute answered")
    await decided(stripe, dispute, "lose")
    assert await told() == [True, False, False]
    assert (await row_of(owner, placed))[2] == "lost"


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


async def test_wrong_money_that_the_bank_took_back_holds_its_order_no_longer(checkout, stripe, owner):
    """There was nothing left to give back, and the pieces stayed reserved for ever (found by tests/stateful)."""
    _, placed = await checkout.place()
    form = {"amount": "100", "currency": "usd", "confirm": "true", "metadata[order_id]": placed["order"]["id"]}
    _, wrong = await stripe.post(
        "payment_intents", **form, payment_method="pm_card_visa", return_url="https://shop.invalid"
    )
    other = {**placed, "payment_intent_id": wrong["id"]}
    await hear(checkout, a_success(other, amount_minor=100, amount_received_minor=100))
    assert (await row_of(owner, placed))[3] == "payment_differs"
    # While it was held, the expiry job has put it off.
    await owner.execute("UPDATE checkout.orders SET reserved_until = now(), expiry_due_at = now() + interval '1 hour'")
    await decided(stripe, await disputed(stripe, other), "lose")
    await hear_money(checkout, a_dispute_event(other, DisputeClosed))
    await quiet(checkout)
    await until(owner, placed, "expired")
    assert (await row_of(owner, placed))[3] == "none"
    assert await stock_of(owner) == (60, 0)


async def test_two_disputes_of_which_one_is_won_leave_the_other_an_inquiry(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe)
    seen = await checkout.till.stripe.look_at(placed["payment_intent_id"])
    dispute = await disputed(stripe, placed)
    [opened] = (await checkout.till.stripe.look_at(placed["payment_intent_id"])).disputes
    inquiry = replace(opened, id="du_inquiry", status="warning_needs_response")
    for first, shown in (("needs_response", "open"), ("won", "inquiry")):
        view = replace(seen, disputes=[replace(opened, id=dispute, status=first), inquiry])
        async with checkout.till.pool.worker() as conn:
            await resync.apply(conn, Resync(placed["payment_intent_id"], order_id_of(placed), "test", 0), view)
        assert (await row_of(owner, placed))[2] == shown


async def test_a_payment_that_is_looked_at_in_vain_is_looked_at_less_often_until_there_is_news(checkout):
    _, placed = await checkout.place()
    payment_intent_id, order_id = placed["payment_intent_id"], order_id_of(placed)
    rests = []
    async with checkout.till.pool.worker() as conn:
        for is_news in (True, False, False, True):
            if is_news:
                await payment_store.request_resync(conn, payment_intent_id, order_id, "test")
            await conn.execute("UPDATE resyncs SET due_at = now()")
            await payment_store.claim_resyncs(conn, 60.0, 100.0, 1)
            rests.append(await conn.fetchval("SELECT extract(epoch FROM due_at - now())::int FROM resyncs"))
    assert rests == [60, 100, 100, 60]


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


KINDS = frozenset({"created", "processing", "failed", "succeeded", "refunded", "disputed"})

# All that decides what comes next: not when it came, nor how often, nor what was said of it.
STATE = """
    SELECT (SELECT jsonb_agg(to_jsonb(o) - 'expiry_due_at' - 'paid_at') FROM orders o),
           (SELECT jsonb_agg(to_jsonb(p) - 'updated_at' ORDER BY p.payment_intent_id) FROM payments p),
           (SELECT jsonb_agg(to_jsonb(f) - 'seen' - 'at' ORDER BY f.failure_id) FROM payment_failures f),
           (SELECT jsonb_agg(jsonb_build_array(r.payment_intent_id, r.done_at)) FROM resyncs r),
           (SELECT jsonb_agg(jsonb_build_array(r.amount_minor, r.state)) FROM refunds r),
           (SELECT jsonb_agg(jsonb_build_array(d.id, d.status)) FROM disputes d),
           (SELECT jsonb_agg(jsonb_build_array(j.sku, j.reason, j.order_id) ORDER BY j.sku, j.number)
                FROM stock_journal j),
           (SELECT jsonb_agg(jsonb_build_array(t.kind, e.account, e.amount_minor) ORDER BY t.kind, e.account)
                FROM ledger_entries e JOIN ledger_transactions t ON t.id = e.transaction_id),
           (SELECT jsonb_agg(jsonb_build_array(k.type, k.number) ORDER BY k.type)
                FROM (SELECT type, count(*) AS number FROM outbox GROUP BY type) k)
"""


async def test_every_permutation_of_the_news_ends_in_the_same_state(checkout, stripe):
    """Created, processing, failed, succeeded, refunded, disputed: in all 720 orders, each told once or twice.

    At Stripe the payment is paid, partly refunded in the Dashboard, disputed and lost. What was told the same news and
    stands in the same state goes on alike, so that each such state is gone on from once.
    """
    _, placed = await checkout.place(an_order(quantity=1))
    await stripe.pay(placed["payment_intent_id"])
    await stripe.post("refunds", payment_intent=placed["payment_intent_id"], amount="500")
    await decided(stripe, await disputed(stripe, placed), "lose")
    view = await checkout.till.stripe.look_at(placed["payment_intent_id"])
    known: dict[tuple[object, ...], int] = {}

    async def go_on(conn, told: tuple[str, ...]) -> int:
        """How many ways lead from here to the end, which is the same for all."""
        at = (frozenset(told), *await conn.fetchrow(STATE))
        if at not in known:
            known[at] = await _look_again(conn, view, told) if len(told) == len(KINDS) else 0
            for kind, times in product(sorted(KINDS - set(told)), (1, 2)):
                with pytest.raises(Back):
                    async with conn.transaction():
                        for _ in range(times):
                            await _tell(conn, kind, placed)
                        known[at] += await go_on(conn, (*told, kind))
                        raise Back
        return known[at]

    with pytest.raises(Back):
        async with checkout.till.pool.worker() as conn:
            assert await go_on(conn, ()) == 720 * 2 ** len(KINDS)
            raise Back
    assert len(known) > 2 ** len(KINDS)  # the news does leave different traces on its way


async def _look_again(conn, view, told: tuple[str, ...]) -> int:
    """What comes after all news: a look at the payment, which puts everything right."""
    with pytest.raises(Back):
        async with conn.transaction():
            wanted = await conn.fetchrow("SELECT payment_intent_id, order_id, reason, requests FROM resyncs")
            await resync.apply(conn, Resync(**wanted), view)
            await conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
            assert await _end(conn) == (("paid", "none", "lost", "none", 500), (59, 0), [(500, "succeeded")]), told
            raise Back
    return 1


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
