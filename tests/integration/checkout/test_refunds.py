"""Refunds: asked for by people, made by themselves, made in the Dashboard, lost on the way, failed afterwards."""

import asyncio

import asyncpg
import pytest

from services.checkout.actions import resync as resyncing
from services.checkout.domain import ChargeDisputed, RefundIdTaken, RefundTooLarge, Resync
from shared.errors import Invalid
from shared.events import OrderRefunded, decode
from shared.ids import uuid7
from tests.integration.checkout.conftest import PATIENCE_S, SKU
from tests.integration.checkout.money import (
    a_dispute_event,
    a_paid_order,
    a_refund_event,
    given_back,
    hear_money,
    order_id_of,
    quiet,
    refunds_of,
    row_of,
    timeline_of,
    want,
)
from tests.integration.checkout.test_expiry import until
from tests.integration.checkout.test_payments import a_success, hear, journal_of, staged, stock_of

PRICE = 6500


async def test_a_full_refund_gives_all_back_cancels_the_order_and_fills_the_shelf(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe)
    assert await stock_of(owner) == (58, 0)
    await want(checkout, placed, restock=True)
    await quiet(checkout)
    assert await row_of(owner, placed) == ("paid", "cancelled", "none", "none", 2 * PRICE)
    assert await given_back(stripe, placed) == 2 * PRICE
    assert await stock_of(owner) == await journal_of(owner) == (60, 0)
    assert await staged(owner, "order.refunded") == 1
    assert {"refund requested", "refunded", "cancelled"} <= set(await timeline_of(owner, placed))


async def test_a_refund_of_a_line_gives_back_its_pieces_and_no_more_than_there_were(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe)
    await want(checkout, placed, lines={0: 1}, restock=True)
    await quiet(checkout)
    assert await row_of(owner, placed) == ("paid", "none", "none", "none", PRICE)
    assert await stock_of(owner) == await journal_of(owner) == (59, 0)
    with pytest.raises(Invalid):
        await want(checkout, placed, lines={0: 2})
    order = await checkout.get(
        f"/v1/orders/{placed['order']['id']}", headers={"Authorization": f"Bearer {placed['order_token']}"}
    )
    assert (order[1]["reading"], order[1]["refunded_minor"]) == ("part refunded", PRICE)


async def test_a_part_of_the_money_needs_no_line_and_puts_nothing_on_the_shelf(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe)
    with pytest.raises(Invalid):
        await want(checkout, placed, amount_minor=100, restock=True)
    await want(checkout, placed, amount_minor=100)
    with pytest.raises(RefundTooLarge):
        await want(checkout, placed, amount_minor=2 * PRICE)
    await quiet(checkout)
    assert await refunds_of(owner, placed) == [(100, "succeeded", "staff ada")]
    assert await stock_of(owner) == (58, 0)


async def test_the_same_wish_twice_is_one_refund(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe)
    wish = uuid7()
    await asyncio.gather(*(want(checkout, placed, id=wish, amount_minor=500) for _ in range(5)))
    await quiet(checkout)
    assert await given_back(stripe, placed) == 500
    assert len(await refunds_of(owner, placed)) == 1


async def test_an_id_that_was_used_is_refused_to_another_wish_and_knows_its_own(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe)
    wish = uuid7()
    await want(checkout, placed, id=wish, lines={0: 1})
    for other in ({"lines": {0: 2}, "restock": True}, {"amount_minor": 2 * PRICE}, {}):
        with pytest.raises(RefundIdTaken):
            await want(checkout, placed, id=wish, **other)
    await want(checkout, placed, id=wish, lines={0: 1})
    rest = uuid7()
    for _ in range(2):
        await want(checkout, placed, id=rest)  # all that is left
    assert [amount for amount, _, _ in await refunds_of(owner, placed)] == [PRICE, PRICE]


# Two partial refunds at once (saleor #17098): the bug without the guard, then the guard.


async def _both_looked_before_either_wrote(database, owner, placed) -> list[BaseException | None]:
    """Two refunds of 60 %: each looks at what is left, sees enough, and writes."""
    barrier = asyncio.Barrier(2)

    async def naive() -> None:
        conn = await asyncpg.connect(database.owner_url)
        try:
            async with conn.transaction():
                left = await conn.fetchval(
                    """
                    SELECT p.amount_received_minor - coalesce((SELECT sum(amount_minor) FROM checkout.refunds), 0)
                    FROM checkout.payments p WHERE payment_intent_id = $1
                    """,
                    placed["payment_intent_id"],
                )
                assert left >= 7800
                await barrier.wait()
                await conn.execute(
                    """
                    INSERT INTO checkout.refunds (id, order_id, payment_intent_id, stripe_refund_id, amount_minor,
                        currency, state, reason, actor) VALUES ($1, $2, $3, $4, 7800, 'usd', 'requested', 'x', 'x')
                    """,
                    uuid7(),
                    order_id_of(placed),
                    placed["payment_intent_id"],
                    f"re_{uuid7().hex}",
                )
        finally:
            await conn.close()

    return await asyncio.gather(naive(), naive(), return_exceptions=True)


@pytest.fixture
async def unguarded(owner):
    await owner.execute("ALTER TABLE checkout.refunds DISABLE TRIGGER within_payment")
    yield
    await owner.execute("ALTER TABLE checkout.refunds ENABLE TRIGGER within_payment")


async def test_two_partial_refunds_race_past_the_captured_total_without_the_guard(
    checkout, stripe, clean, owner, unguarded
):
    placed = await a_paid_order(checkout, stripe)
    assert await _both_looked_before_either_wrote(clean, owner, placed) == [None, None]
    assert await owner.fetchval("SELECT sum(amount_minor) FROM checkout.refunds") > 2 * PRICE


async def test_two_partial_refunds_do_not_race_past_the_captured_total(checkout, stripe, clean, owner):
    placed = await a_paid_order(checkout, stripe)
    outcomes = await _both_looked_before_either_wrote(clean, owner, placed)
    [refused] = [outcome for outcome in outcomes if outcome is not None]
    assert isinstance(refused, asyncpg.CheckViolationError)
    assert refused.constraint_name == "refunds_at_most_received"
    await owner.execute("DELETE FROM checkout.refunds")
    wishes = [want(checkout, placed, amount_minor=7800) for _ in range(6)]
    outcomes = await asyncio.gather(*wishes, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Refund"] + ["RefundTooLarge"] * 5


# Unknown outcomes


@pytest.mark.parametrize("kind", ["error_after", "cut_after", "drop_after", "error_before", "drop_before"])
async def test_a_refund_of_unknown_outcome_is_found_out_and_never_made_twice(checkout, stripe, owner, kind):
    placed = await a_paid_order(checkout, stripe)
    await stripe.fault(kind=kind, method="POST", path="/v1/refunds", times=3)
    await want(checkout, placed, amount_minor=500)
    await quiet(checkout)
    assert await given_back(stripe, placed) == 500
    assert await refunds_of(owner, placed) == [(500, "succeeded", "staff ada")]


async def test_a_refund_whose_key_stripe_may_have_forgotten_is_looked_for_first(checkout, stripe, owner):
    """The refund was made, the answer lost, and nobody came back for two days."""
    placed = await a_paid_order(checkout, stripe)
    refund = await want(checkout, placed, amount_minor=500)
    await quiet(checkout)
    await owner.execute("UPDATE checkout.refunds SET state = 'requested', stripe_refund_id = NULL")
    await owner.execute(
        "UPDATE checkout.payment_attempts SET state = 'unknown', created_at = now() - interval '2 days'"
        " WHERE operation = 'create_refund'"
    )
    await stripe.control("POST", "clock/advance", {"seconds": 2 * 86_400})
    await quiet(checkout)
    assert await given_back(stripe, placed) == 500
    assert await owner.fetchval("SELECT attempt_id FROM checkout.refunds WHERE id = $1", refund.id) == refund.attempt_id


async def test_a_refund_that_was_never_made_gets_a_new_key_once_the_old_one_is_stale(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe)
    await stripe.fault(kind="error_before", method="POST", path="/v1/refunds", times=None)
    refund = await want(checkout, placed, amount_minor=500)
    async with asyncio.timeout(PATIENCE_S):
        while await owner.fetchval("SELECT attempt_id FROM checkout.refunds") == refund.attempt_id:
            await owner.execute(
                "UPDATE checkout.payment_attempts SET created_at = now() - interval '2 days' WHERE id = $1",
                refund.attempt_id,
            )
            await asyncio.sleep(0.1)
    await stripe.control("DELETE", "faults")
    await quiet(checkout)
    assert await given_back(stripe, placed) == 500
    states = await owner.fetch("SELECT state FROM checkout.payment_attempts WHERE operation = 'create_refund'")
    assert sorted({row["state"] for row in states}) == ["refused", "succeeded"]


# Own and foreign news (woocommerce-gateway-stripe #2724, #5697; Sylius/StripePlugin PR #101)


async def test_own_refunds_event_before_the_answer_does_not_refund_twice(checkout, stripe, owner):
    """The answer to the POST is held up; the event about it arrives first, and the payment is looked at."""
    placed = await a_paid_order(checkout, stripe)
    await stripe.fault(kind="drop_after", method="POST", path="/v1/refunds", times=None)
    await want(checkout, placed, amount_minor=500)
    async with asyncio.timeout(PATIENCE_S):
        while await given_back(stripe, placed) == 0:
            await asyncio.sleep(0.05)
    await hear_money(checkout, a_refund_event(placed))
    async with asyncio.timeout(PATIENCE_S):
        while await refunds_of(owner, placed) != [(500, "succeeded", "staff ada")]:
            await asyncio.sleep(0.05)
    await stripe.control("DELETE", "faults")
    await quiet(checkout)
    assert await given_back(stripe, placed) == 500
    assert (await staged(owner, "order.refunded"), len(await refunds_of(owner, placed))) == (1, 1)


async def test_a_second_refund_is_not_lost_to_deduplication(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe)
    for _ in range(2):
        await want(checkout, placed, amount_minor=500)
        await quiet(checkout)
        await hear_money(checkout, a_refund_event(placed))
    await quiet(checkout)
    assert await given_back(stripe, placed) == 1000
    assert (await row_of(owner, placed))[4] == 1000
    assert await staged(owner, "order.refunded") == 2


async def test_refunds_made_in_the_dashboard_reach_the_shop(checkout, stripe, owner):
    """Two were made and one event arrived: all refunds of the payment are listed."""
    placed = await a_paid_order(checkout, stripe)
    for amount in ("300", "200"):
        status, _ = await stripe.post("refunds", payment_intent=placed["payment_intent_id"], amount=amount)
        assert status == 200
    await hear_money(checkout, a_refund_event(placed))
    await quiet(checkout)
    assert await refunds_of(owner, placed) == [
        (300, "succeeded", "stripe dashboard"),
        (200, "succeeded", "stripe dashboard"),
    ]
    assert (await row_of(owner, placed))[4] == 500
    assert await staged(owner, "order.refunded") == 2


async def test_a_refund_in_the_dashboard_overtakes_ours_and_ours_is_refused_and_said(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe)
    status, _ = await stripe.post("refunds", payment_intent=placed["payment_intent_id"])
    assert status == 200
    await want(checkout, placed)
    await quiet(checkout)
    found = {(state, actor) for _, state, actor in await refunds_of(owner, placed)}
    assert found == {("succeeded", "stripe dashboard"), ("refused", "staff ada")}
    assert (await row_of(owner, placed))[3:] == ("refund_failed", 2 * PRICE)
    assert await given_back(stripe, placed) == 2 * PRICE


async def test_a_refund_that_is_pending_succeeds_later(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe, card="pm_card_pendingRefund")
    await want(checkout, placed, amount_minor=500)
    await quiet(checkout)
    assert (await refunds_of(owner, placed), (await row_of(owner, placed))[4]) == ([(500, "pending", "staff ada")], 0)
    await stripe.control("POST", "clock/advance", {"seconds": 30 * 86_400})
    await hear_money(checkout, a_refund_event(placed))
    await quiet(checkout)
    assert (await row_of(owner, placed))[4] == 500


async def test_a_refund_that_had_succeeded_and_failed_later_is_raised(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe, card="pm_card_refundFail")
    await want(checkout, placed)
    await quiet(checkout)
    assert (await row_of(owner, placed))[4] == 2 * PRICE
    await stripe.control("POST", "clock/advance", {"seconds": 30 * 86_400})
    await hear_money(checkout, a_refund_event(placed))
    await quiet(checkout)
    assert await row_of(owner, placed) == ("paid", "cancelled", "none", "refund_failed", 0)
    assert await staged(owner, "order.refund_failed") == 1
    assert {"refund failed", "held"} <= set(await timeline_of(owner, placed))
    await want(checkout, placed, amount_minor=100)  # the money is there again and may be given back another time


async def test_a_stale_view_changes_nothing(checkout, stripe, owner):
    """A look that was begun before the refund failed, and is applied after it."""
    placed = await a_paid_order(checkout, stripe, card="pm_card_refundFail")
    await want(checkout, placed)
    await quiet(checkout)
    before = await checkout.till.stripe.look_at(placed["payment_intent_id"])
    await stripe.control("POST", "clock/advance", {"seconds": 30 * 86_400})
    await hear_money(checkout, a_refund_event(placed))
    await quiet(checkout)
    async with checkout.till.pool.worker() as conn:
        wanted = Resync(placed["payment_intent_id"], order_id_of(placed), "late", 0)
        await resyncing.apply(conn, wanted, before)
    assert (await refunds_of(owner, placed))[0][1] == "failed"


# Money that settles nothing


async def test_money_for_an_expired_order_is_given_back_by_itself(checkout, stripe, owner):
    """woocommerce-gateway-stripe #5362: the money was kept and nothing was sent."""
    _, placed = await checkout.place()
    await stripe.pay(placed["payment_intent_id"])
    await owner.execute("UPDATE checkout.orders SET payment = 'expired'")
    await owner.execute(
        "INSERT INTO checkout.stock_journal (id, sku, on_hand_change, reserved_change, reason, order_id)"
        " VALUES (gen_random_uuid(), $1, 0, -1, 'released', $2)",
        SKU,
        order_id_of(placed),
    )
    await hear(checkout, a_success(placed))
    await hear(checkout, a_success(placed))
    await quiet(checkout)
    assert await row_of(owner, placed) == ("expired", "none", "none", "none", 0)
    assert await refunds_of(owner, placed) == [(PRICE, "succeeded", "checkout")]
    assert await given_back(stripe, placed) == PRICE
    assert await stock_of(owner) == (60, 0)
    assert (await staged(owner, "order.refunded"), await staged(owner, "order.released")) == (1, 1)
    told = decode(await owner.fetchval("SELECT body FROM checkout.outbox WHERE type = 'order.refunded'"))
    assert isinstance(told, OrderRefunded)
    assert (told.refund.settles, told.refund.amount_minor, told.refunded_minor) == (False, PRICE, 0)
    actions = await owner.fetch("SELECT action FROM audit.log WHERE subject = $1", f"order {placed['order']['id']}")
    assert {"order.held", "order.refund_requested", "order.refunded"} <= {row["action"] for row in actions}


async def test_a_second_payment_of_one_order_is_given_back_by_itself(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe, quantity=1)
    form = {"amount": str(PRICE), "currency": "usd", "confirm": "true", "payment_method": "pm_card_visa"}
    form |= {"metadata[order_id]": placed["order"]["id"], "return_url": stripe.url}
    form |= {"automatic_payment_methods[enabled]": "true"}
    _, second = await stripe.post("payment_intents", **form)
    await hear(checkout, a_success(placed, payment_intent_id=second["id"]))
    await quiet(checkout)
    assert await row_of(owner, placed) == ("paid", "none", "none", "none", 0)
    assert await refunds_of(owner, placed) == [(PRICE, "succeeded", "checkout")]
    assert await given_back(stripe, placed) == 0
    assert await given_back(stripe, {"payment_intent_id": second["id"]}) == PRICE


async def test_an_automatic_refund_that_fails_leaves_the_order_held_and_is_not_tried_for_ever(checkout, stripe, owner):
    _, placed = await checkout.place()
    await stripe.pay(placed["payment_intent_id"], "pm_card_refundFail")
    await owner.execute("UPDATE checkout.orders SET payment = 'expired'")
    await hear(checkout, a_success(placed))
    await quiet(checkout)
    assert await refunds_of(owner, placed) == [(PRICE, "succeeded", "checkout")]
    await stripe.control("POST", "clock/advance", {"seconds": 30 * 86_400})
    for _ in range(2):
        await hear_money(checkout, a_refund_event(placed))
        await quiet(checkout)
    assert await refunds_of(owner, placed) == [(PRICE, "failed", "checkout")]
    assert (await row_of(owner, placed))[3] == "paid_too_late"
    assert await staged(owner, "order.refund_failed") == 1


async def test_late_money_that_a_person_gave_back_already_is_not_given_back_again(checkout, stripe, owner):
    _, placed = await checkout.place()
    await stripe.pay(placed["payment_intent_id"])
    await stripe.post("refunds", payment_intent=placed["payment_intent_id"])
    await owner.execute("UPDATE checkout.orders SET payment = 'expired'")
    await hear(checkout, a_success(placed))
    await quiet(checkout)
    assert await refunds_of(owner, placed) == [(PRICE, "succeeded", "stripe dashboard")]
    assert (await row_of(owner, placed))[3] == "none"


async def test_the_wrong_money_waits_for_a_person_and_the_order_ends_once_it_was_given_back(checkout, stripe, owner):
    _, placed = await checkout.place()
    await stripe.pay(placed["payment_intent_id"])
    await owner.execute("UPDATE checkout.orders SET total_minor = total_minor + 1, shipping_minor = 1")
    await hear(checkout, a_success(placed))
    assert (await row_of(owner, placed))[3] == "payment_differs"
    assert await refunds_of(owner, placed) == []
    await want(checkout, placed)
    await quiet(checkout)
    assert (await row_of(owner, placed))[3] == "none"
    await owner.execute("UPDATE checkout.orders SET expiry_due_at = now()")
    await until(owner, placed, "expired")
    assert await stock_of(owner) == await journal_of(owner) == (60, 0)


# Disputes stand in the way


async def test_a_disputed_payment_takes_no_refund(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe)
    await stripe.control("POST", "disputes", {"payment_intent": placed["payment_intent_id"]})
    await hear_money(checkout, a_dispute_event(placed))
    await quiet(checkout)
    with pytest.raises(ChargeDisputed):
        await want(checkout, placed)
    assert await refunds_of(owner, placed) == []


async def test_the_timeline_can_not_be_rewritten(checkout, stripe, owner, pool):
    placed = await a_paid_order(checkout, stripe)
    for change in ("UPDATE checkout.order_timeline SET what = 'x'", "DELETE FROM checkout.order_timeline"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute(change)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with pool.worker() as conn:
                await conn.execute(change)
    rows = await owner.fetch(
        "SELECT actor, reason FROM checkout.order_timeline WHERE order_id = $1", order_id_of(placed)
    )
    assert {row["actor"] for row in rows} == {"customer", "stripe"}
