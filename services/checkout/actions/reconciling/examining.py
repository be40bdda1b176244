"""One payment: Stripe is asked for all of it, and what differs is put right under the order's lock, or raised."""

import asyncpg

from services.checkout.actions import resync, standing
from services.checkout.actions.reconciling.session import ACTOR, Session, is_for_people
from services.checkout.domain import GIVEN, Hold, PaymentState, RefundState, Resync
from services.checkout.domain.reconciling import REPAIRABLE, Difference, Known, Shown, compare, is_money
from services.checkout.store import orders as order_store
from services.checkout.store import reconciling as store
from services.checkout.store.reconciling import Finding
from services.checkout.stripe_api import StripeRefused, View
from shared.db import Connection
from shared.errors import AppError

# The payment, its disputes, its warnings, its refunds; further pages of one with more than a hundred are not counted.
LOOK_READS = 4


async def examine(session: Session, payment_intent_id: str, *, is_stuck: bool = False) -> None:
    """Looks at a payment and at what we hold of it. `is_stuck`: its order should long have ended one way or another.

    What is different by now is put right, once, however many look: the order is locked before the two are compared.
    """
    session.pay(LOOK_READS)
    session.examined.add(payment_intent_id)
    try:
        view = await session.stripe.look_at(payment_intent_id)
    except StripeRefused as error:
        if not error.is_missing:
            raise
        await _raise_missing(session, payment_intent_id)
        return
    try:
        async with session.transaction() as conn:
            await _bring_together(session, conn, view, is_stuck=is_stuck)
    except (AppError, asyncpg.CheckViolationError, asyncpg.UniqueViolationError) as error:
        # One that can't be taken in must not hold up all others.
        async with session.transaction() as conn:
            detail = f"could not be taken in: {type(error).__name__}: {error}"
            await _raise(session, conn, _found(view), Difference.CONTRADICTS, detail)


async def _bring_together(session: Session, conn: Connection, view: View, *, is_stuck: bool) -> None:
    shown = _found(view)
    known = await _lock(conn, shown)
    difference = None if known is None else compare(shown, known)
    if known is None:
        difference = Difference.NO_ORDER if is_money(shown) and shown.payment.amount_received_minor else None
    elif difference in REPAIRABLE:
        await _repair(session, conn, (view, shown, known))
        return
    elif difference is None and is_stuck and known.payment in (PaymentState.AWAITING, PaymentState.FAILED):
        difference = Difference.STUCK
    if difference is None:
        await session.settle(conn, shown.payment.payment_intent_id, known.number if known else None)
        return
    await _raise(session, conn, shown, difference)


async def _repair(session: Session, conn: Connection, both: tuple[View, Shown, Known]) -> None:
    view, shown, known = both
    payment_intent_id, difference = shown.payment.payment_intent_id, compare(shown, known)
    assert difference is not None
    await resync.apply(conn, Resync(payment_intent_id, known.order_id, difference, requests=0), view)
    now = await _lock(conn, shown)
    remaining = Difference.CONTRADICTS if now is None else compare(shown, now)
    if remaining is not None:
        await _raise(session, conn, shown, is_for_people(remaining))
        return
    order = await order_store.select_order(conn, known.order_id)
    await standing.record(conn, order, "reconciled", f"{difference}: {payment_intent_id}", ACTOR)
    session.repaired(difference, payment_intent_id, known.number)
    await session.settle(conn, payment_intent_id, known.number)


async def _raise(
    session: Session, conn: Connection, shown: Shown, difference: Difference, detail: str | None = None
) -> None:
    """An order whose money is not what it costs is held; everything else waits as it is for whoever looks."""
    known = await _lock(conn, shown)
    said = detail or _describe(shown, known)
    order_id, number = (known.order_id, known.number) if known else (None, None)
    finding = Finding(difference, shown.payment.payment_intent_id, order_id, said)
    is_news = await session.raise_finding(conn, finding, number)
    if known is None:
        return
    order = await order_store.select_order(conn, known.order_id)
    if difference is Difference.AMOUNT_DIFFERS and order.hold is Hold.NONE:
        await standing.hold(conn, order, Hold.PAYMENT_DIFFERS)
    if is_news:
        await order_store.insert_timeline(conn, order.id, "needs a look", actor=ACTOR, reason=f"{difference}: {said}")


async def _raise_missing(session: Session, payment_intent_id: str) -> None:
    async with session.transaction() as conn:
        known = (await store.select_known(conn, {payment_intent_id: None})).get(payment_intent_id)
        number, order_id = (known.number, known.order_id) if known else (None, None)
        held = f"the order is {known.payment}" if known else "our order"
        said = f"Stripe knows no such payment in this account and mode; {held}"
        finding = Finding(Difference.NOT_AT_STRIPE, payment_intent_id, order_id, said)
        await session.raise_finding(conn, finding, number)


async def _lock(conn: Connection, shown: Shown) -> Known | None:
    payment_intent_id, named = shown.payment.payment_intent_id, shown.payment.order_id
    await store.lock_orders_of(conn, payment_intent_id, named)
    return (await store.select_known(conn, {payment_intent_id: named})).get(payment_intent_id)


def _found(view: View) -> Shown:
    given = sum(refund.amount_minor for refund in view.refunds if refund.status in GIVEN)
    states = set(RefundState)  # what Stripe may add one day changes nothing until we know what it means
    return Shown(
        view.payment,
        given,
        bool(view.disputes),
        view.review,
        refunds={refund.refund_id: refund.status for refund in view.refunds if refund.status in states},
        disputes={dispute.id: dispute.status for dispute in view.disputes},
    )


def _describe(shown: Shown, known: Known | None) -> str:
    told = shown.payment
    stripe = f"Stripe: {told.status}, {told.amount_received_minor} of {told.amount_minor} {told.currency}"
    if shown.refunded_minor:
        stripe += f", {shown.refunded_minor} given back"
    if known is None:
        return f"{stripe}; no order of ours" + (f" {told.order_id}" if told.order_id else "")
    ours = f"{known.payment}, costs {known.total.amount_minor} {known.total.currency}"
    row = known.row
    held = f"payment {row.status}, {row.received_minor} received" if row else "no payment row"
    return f"{stripe}; order: {ours}; {held}, {known.refunded_minor} given back"
