"""Looking at a payment because of a hint: whatever Stripe shows of it now is applied, in one transaction."""

import logging

from services.checkout import domain
from services.checkout.actions import payments, refunds, standing, warnings
from services.checkout.actions.orders import Till
from services.checkout.domain import Hold, IllegalMove, Order, Resync
from services.checkout.store import ledger as ledger_store
from services.checkout.store import orders as store
from services.checkout.store import payments as payment_store
from services.checkout.store import refunds as refund_store
from services.checkout.stripe_api import View
from shared.db import Connection
from shared.events import MoneyEvent, PaymentBooked, PaymentSnapshot
from shared.metrics import counter

log = logging.getLogger(__name__)

# What Stripe tells of is in its balance soon after; by then more may have come, and one look finds it all.
SETTLES_WITHIN_S = 2.0

HINTS = counter("checkout_money_hints_total", "What Stripe told us of refunds, disputes and reviews.", ("type", "of"))


async def note(conn: Connection, event: MoneyEvent) -> None:
    """What an event hints at will be looked at. An event of a payment that isn't ours is none of our business."""
    payment_intent_id = event.payment_intent_id
    order_id = await refund_store.select_order_of(conn, payment_intent_id) if payment_intent_id else None
    HINTS.labels(type=event.type, of="ours" if order_id else "others").inc()
    await ledger_store.wake_poll(conn, SETTLES_WITHIN_S)
    if payment_intent_id and order_id and not isinstance(event, PaymentBooked):
        await payment_store.request_resync(conn, payment_intent_id, order_id, event.type)


async def resync(till: Till, wanted: Resync) -> None:
    """Looks and applies what Stripe shows now."""
    view = await till.stripe.look_at(wanted.payment_intent_id)
    async with till.pool.worker() as conn:
        await apply(conn, wanted, view)


async def apply(conn: Connection, wanted: Resync, view: View) -> None:
    """Takes in a whole view. An order that can't go there is left, and said, for a person to see."""
    order = await store.select_order_for_update(conn, wanted.order_id)
    try:
        await payments.apply(conn, order, view.payment, hint_id=f"{wanted.payment_intent_id} at resync")
    except IllegalMove as error:
        await _say(conn, order, view.payment, error)
    await _apply_money(conn, await store.select_order(conn, order.id), view)
    await payment_store.update_resync_done(conn, wanted)


async def _say(conn: Connection, order: Order, payment: PaymentSnapshot, error: IllegalMove) -> None:
    """A refused try beside the payment that settled the order, or of one that is over, contradicts nothing."""
    settling = await payment_store.select_settling_payment(conn, order.id)
    is_beside = payment.status == "requires_payment_method" and settling != payment.payment_intent_id
    payments.HINTS.labels(status=payment.status, outcome="beside" if is_beside else "conflict").inc()
    if not is_beside:
        log.error("order contradicts Stripe", extra={"order_id": str(order.id), "reason": error.detail})


async def _apply_money(conn: Connection, order: Order, view: View) -> None:
    payment_intent_id = view.payment.payment_intent_id
    shown, due_at = order.dispute, await refund_store.select_evidence_due(conn, order.id)
    known = await refund_store.select_dispute_statuses(conn, order.id)
    for dispute in view.disputes:
        if domain.is_news(known.get(dispute.id), dispute.status):
            await refund_store.upsert_dispute(conn, order.id, dispute)
    if view.review != "none":
        await refund_store.update_review(conn, payment_intent_id, view.review)
    await warnings.take_in(conn, order, view.warnings)
    order = await refunds.apply(conn, order, view.refunds, payment_intent_id)
    order = await standing.reconsider(conn, order)
    if order.dispute is shown:
        await standing.tell_of_answer(conn, order, due_at)
    if order.hold in (Hold.PAID_TWICE, Hold.PAID_TOO_LATE):
        await refunds.refund_surplus(conn, order, order.hold)
