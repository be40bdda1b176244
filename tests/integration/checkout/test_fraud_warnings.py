"""Early fraud warnings: the order is held until a person decides, or there is nothing to decide any more."""

import pytest

from services.checkout.actions import resync, shipping
from services.checkout.domain import OrderOnHold, ParcelWanted, Resync
from shared.events import FraudWarningUpdated, OrderFraudWarned, OrderHeld, decode
from shared.ids import uuid7
from shared.staff import Right
from tests.integration.checkout.conftest import ask
from tests.integration.checkout.money import (
    a_dispute_event,
    a_paid_order,
    a_refund_event,
    a_warning_event,
    hear_money,
    order_id_of,
    quiet,
    row_of,
    timeline_of,
    want,
)
from tests.integration.checkout.test_payments import staged


async def warned(checkout, stripe, placed) -> None:
    """The bank warns, and we hear of it: twice, as Stripe may."""
    await stripe.control("POST", "early_fraud_warnings", {"payment_intent": placed["payment_intent_id"]})
    for _ in range(2):
        await hear_money(checkout, a_warning_event(placed))
        await quiet(checkout)


async def ship(checkout, placed) -> None:
    async with checkout.till.pool.worker() as conn:
        await shipping.ship(conn, order_id_of(placed), ParcelWanted(uuid7(), "UPS"), "staff ada")


async def test_a_warning_holds_the_order_once_and_a_person_may_send_it_all_the_same(checkout, stripe, owner, signed_in):
    placed = await a_paid_order(checkout, stripe)
    await warned(checkout, stripe, placed)
    assert (await row_of(owner, placed))[3] == "fraud_warning"
    assert (await timeline_of(owner, placed))[-2:] == ["fraud warning", "held"]
    assert (await staged(owner, "order.fraud_warned"), await staged(owner, "order.held")) == (1, 1)
    event = decode(await owner.fetchval("SELECT body FROM checkout.outbox WHERE type = 'order.fraud_warned'"))
    assert isinstance(event, OrderFraudWarned)
    assert (event.fraud_type, event.fulfilment) == ("unauthorized_use_of_card", "none")
    with pytest.raises(OrderOnHold, match="fraud_warning"):
        await ship(checkout, placed)

    headers, actor = await signed_in(Right.ORDERS_RELEASE)
    path, body = f"/v1/staff/orders/{order_id_of(placed)}/release", {"reason": "a regular, called her"}
    status, answer = await ask(checkout, "POST", path, body, headers)
    assert (status, answer["hold"], answer["reading"]) == (200, "none", "paid")
    status, problem = await ask(checkout, "POST", path, body, headers)
    assert (status, problem["code"]) == (409, "nothing_to_release")
    assert await staged(owner, "order.released") == 1
    row = await owner.fetchrow("SELECT what, reason FROM checkout.order_timeline WHERE actor = $1", actor)
    assert tuple(row) == ("fraud warning dealt with", "a regular, called her")
    await warned(checkout, stripe, placed)  # another warning is another question
    assert (await row_of(owner, placed))[3] == "fraud_warning"
    assert (await ask(checkout, "POST", path, body, headers))[0] == 200
    await ship(checkout, placed)


async def test_refunding_all_of_it_ends_the_hold_and_a_late_view_does_not_bring_it_back(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe)
    await warned(checkout, stripe, placed)
    before = await checkout.till.stripe.look_at(placed["payment_intent_id"])
    await want(checkout, placed, reason="fraud, says the bank")
    await quiet(checkout)  # as at Stripe, whose events come after what they tell of
    await hear_money(checkout, a_refund_event(placed))
    await hear_money(checkout, a_warning_event(placed, FraudWarningUpdated))
    await quiet(checkout)
    assert (await row_of(owner, placed))[1:4] == ("cancelled", "none", "none")
    async with checkout.till.pool.worker() as conn:
        await resync.apply(conn, Resync(placed["payment_intent_id"], order_id_of(placed), "late", 0), before)
    assert not await owner.fetchval("SELECT is_actionable FROM checkout.fraud_warnings")
    assert (await row_of(owner, placed))[3] == "none"


async def test_a_dispute_takes_the_warnings_place(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe)
    await warned(checkout, stripe, placed)
    await stripe.control("POST", "disputes", {"payment_intent": placed["payment_intent_id"]})
    await hear_money(checkout, a_dispute_event(placed))
    await quiet(checkout)
    assert (await row_of(owner, placed))[2:4] == ("open", "none")


async def test_a_warning_after_the_parcel_says_that_it_was_sent(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe)
    await ship(checkout, placed)
    await warned(checkout, stripe, placed)
    event = decode(await owner.fetchval("SELECT body FROM checkout.outbox WHERE type = 'order.held'"))
    assert isinstance(event, OrderHeld)
    assert (event.reason, event.fulfilment) == ("fraud_warning", "shipped")
