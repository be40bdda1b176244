"""Giving money back: written down first, asked of Stripe by the job, recognised however its news arrives.

A refund is a wish (REQUESTED) until Stripe has answered. Its attempt's id is the key; while the outcome is unknown the
same key is asked again, and once Stripe may have forgotten the key, the payment's refunds are searched for our own.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from services.checkout import domain
from services.checkout.actions import attempts, standing, stock
from services.checkout.actions.facts import facts
from services.checkout.domain import (
    ENDED_BADLY,
    GIVEN,
    Change,
    Income,
    Order,
    Reason,
    Refund,
    RefundPlan,
    RefundState,
    RefundWanted,
)
from services.checkout.store import ledger as ledger_store
from services.checkout.store import orders as store
from services.checkout.store import parcels as parcel_store
from services.checkout.store import payments as payment_store
from services.checkout.store import refunds as refund_store
from services.checkout.store.stock import Cause
from shared import outbox
from shared.audit import audit
from shared.db import Connection
from shared.errors import Conflict
from shared.events import OrderEvent, OrderRefunded, OrderRefundFailed, RefundFacts, RefundSnapshot
from shared.ids import uuid7
from shared.metrics import counter

REFUNDS = counter("checkout_refunds_total", "Refunds by what became of them.", ("state",))

_OF_STRIPE = uuid5(NAMESPACE_URL, "urn:kct:stripe-refund")

AUTOMATIC = "checkout"  # the actor of refunds that nobody asked for
DASHBOARD = "stripe dashboard"


async def request(conn: Connection, order_id: UUID, wanted: RefundWanted, actor: str) -> Refund:
    """Writes a refund down; the job asks Stripe. The same id again answers the same refund.

    Raises NotFound, Invalid, RefundIdTaken, RefundTooLarge, NothingToRefund, ChargeDisputed.
    """
    order = await store.select_order_for_update(conn, order_id)
    known = await refund_store.select_refund(conn, wanted.id)
    if known is not None:
        return await _same(conn, known, order_id, wanted)
    income, plan = await preview(conn, order, wanted)
    return await _write(conn, order, income, plan, (wanted, actor))


async def _same(conn: Connection, known: Refund, order_id: UUID, wanted: RefundWanted) -> Refund:
    pieces = await refund_store.select_refund_pieces(conn, known.id)
    left_minor = await refund_store.select_left(conn, known.payment_intent_id)
    without_it = left_minor if known.state in ENDED_BADLY else left_minor + known.amount_minor
    return domain.same_refund(known, pieces, order_id, wanted, without_it)


async def preview(conn: Connection, order: Order, wanted: RefundWanted) -> tuple[Income, RefundPlan]:
    """From which payment how much would be given back. Raises as `request` does."""
    income = _income(await refund_store.select_incomes(conn, order.id), wanted.payment_intent_id)
    if not await refund_store.is_refundable(conn, income.payment_intent_id):
        raise domain.ChargeDisputed("wait for the bank's decision, or answer the dispute")
    lines = await store.select_lines(conn, order)
    refunded = await refund_store.select_refunded_pieces(conn, order.id)
    left = {at: line.quantity - refunded.get(at, 0) for at, line in enumerate(lines)} if income.settles else {}
    left_minor = await refund_store.select_left(conn, income.payment_intent_id)
    return income, domain.plan_refund(wanted, lines, left, left_minor)


async def refund_surplus(conn: Connection, order: Order, why: str) -> None:
    """Gives back what settled nothing, once by itself; should that fail, a person sees the hold and decides."""
    known = await refund_store.select_refunds(conn, order.id)
    tried = {refund.payment_intent_id for refund in known if refund.actor == AUTOMATIC}
    for income in await refund_store.select_incomes(conn, order.id):
        if income.settles or income.payment_intent_id in tried:
            continue
        wanted = RefundWanted(uuid7(), why, payment_intent_id=income.payment_intent_id)
        try:
            _, plan = await preview(conn, order, wanted)
        except (domain.NothingToRefund, domain.ChargeDisputed):
            continue  # somebody was quicker, or the bank takes it back
        await _write(conn, order, income, plan, (wanted, AUTOMATIC))


async def apply(conn: Connection, order: Order, told: Iterable[RefundSnapshot], payment_intent_id: str) -> Order:
    """Takes in refunds of one payment as Stripe shows them, ours and those of the Dashboard."""
    moved = []
    for snapshot in told:
        known = await _recognise(conn, order, snapshot, payment_intent_id)
        to = _state(snapshot.status)
        if to is None or to not in domain.REFUND_MOVES[known.state]:
            continue  # known already, or a view from before
        now = replace(known, state=to, stripe_refund_id=snapshot.refund_id, failure_reason=snapshot.failure_reason)
        await refund_store.update_refund(conn, now)
        moved.append((known, now))
    return await _follow(conn, order, moved)


async def refuse(conn: Connection, order: Order, refund: Refund, code: str) -> Order:
    """Stripe said no, and shows no such refund."""
    known = await refund_store.select_refund(conn, refund.id)
    if known is None or known.state is not RefundState.REQUESTED:
        return order
    now = replace(known, state=RefundState.REFUSED, failure_reason=code)
    await refund_store.update_refund(conn, now)
    return await _follow(conn, order, [(known, now)])


async def _follow(conn: Connection, order: Order, moved: list[tuple[Refund, Refund]]) -> Order:
    """What follows from refunds that moved."""
    for was, now in moved:
        if now.state in GIVEN and was.state not in GIVEN:
            await _book(conn, now)
            if now.restock:
                await _restock(conn, now)
        elif now.state in ENDED_BADLY:
            if was.state in GIVEN:
                await _book(conn, now, returns=True)
            tallies = await parcel_store.select_tallies(conn, order.id)
            await parcel_store.release_withdrawn(conn, order.id, domain.no_longer_withdrawn(tallies))
    order = await standing.reconsider(conn, order)
    for was, now in moved:
        await _announce(conn, order, was, now)
    return order


async def _announce(conn: Connection, order: Order, was: Refund, now: Refund) -> None:
    REFUNDS.labels(state=now.state).inc()
    amount = f"{now.amount_minor} {now.currency}"
    told = facts(order, await store.select_lines(conn, order))
    about = RefundFacts(
        refund_id=now.id,
        amount_minor=now.amount_minor,
        currency=now.currency,
        reason=now.reason,
        is_automatic=now.actor == AUTOMATIC,
        settles=await _settles(conn, now),
    )
    event: OrderEvent
    if now.state is RefundState.SUCCEEDED:
        await standing.record(conn, order, "refunded", f"{amount}: {now.reason}")
        event = OrderRefunded(order=told, refund=about, refunded_minor=order.refunded_minor)
    elif now.state in ENDED_BADLY:
        why = now.failure_reason or now.state
        after = " after it had succeeded" if was.state is RefundState.SUCCEEDED else ""
        await standing.record(conn, order, "refund failed", f"{amount}{after}: {why}")
        event = OrderRefundFailed(order=told, refund=about, failure_reason=why)
    else:
        await standing.record(conn, order, f"refund {now.state}", amount)
        return
    await outbox.stage(conn, event)


async def _recognise(conn: Connection, order: Order, told: RefundSnapshot, payment_intent_id: str) -> Refund:
    """Our row for one of Stripe's refunds: by its id, by ours in its metadata, or a new one for the Dashboard's.

    Our own refund's news may overtake the answer to the request that made it; its metadata tells that it is ours.
    """
    for refund in await refund_store.select_refunds(conn, order.id):
        if told.refund_id == refund.stripe_refund_id or told.our_refund_id == refund.id:
            return refund
    made = Refund(
        id=await _id_for(conn, told),
        order_id=order.id,
        payment_intent_id=payment_intent_id,
        amount_minor=told.amount_minor,
        currency=told.currency,
        state=RefundState.PENDING,
        reason="made in Stripe's Dashboard" if told.our_refund_id is None else "its own row was lost",
        actor=DASHBOARD,
        restock=False,
        created_at=datetime.now(UTC),
        stripe_refund_id=told.refund_id,
    )
    await refund_store.insert_refund(conn, made)
    await _book(conn, made)
    return made


async def _id_for(conn: Connection, told: RefundSnapshot) -> UUID:
    """The same for the same refund, should its row be lost: so it is booked once, and its mail written once."""
    ours = told.our_refund_id
    if ours is not None and await refund_store.select_refund(conn, ours) is None:
        return ours
    return uuid5(_OF_STRIPE, told.refund_id)


async def _book(conn: Connection, refund: Refund, *, returns: bool = False) -> None:
    settles = await _settles(conn, refund)
    await ledger_store.book(conn, domain.refund_booked(refund, settles=settles, returns=returns))


async def _settles(conn: Connection, refund: Refund) -> bool:
    """Whether it is of the payment that settled the order."""
    settling = await payment_store.select_settling_payment(conn, refund.order_id)
    return refund.payment_intent_id == settling


async def _write(
    conn: Connection, order: Order, income: Income, plan: RefundPlan, who: tuple[RefundWanted, str]
) -> Refund:
    wanted, actor = who
    refund = Refund(
        id=wanted.id,
        order_id=order.id,
        payment_intent_id=income.payment_intent_id,
        amount_minor=plan.amount_minor,
        currency=income.currency,
        state=RefundState.REQUESTED,
        reason=wanted.reason,
        actor=actor,
        restock=wanted.restock,
        created_at=datetime.now(UTC),
        attempt_id=uuid7(),
    )
    assert refund.attempt_id is not None
    await refund_store.insert_refund_attempt(conn, attempts.to_refund(refund, refund.attempt_id, refund.created_at))
    await refund_store.insert_refund(conn, refund)
    await _insert_pieces(conn, refund, plan)
    about = f"{refund.amount_minor} {refund.currency}: {refund.reason}"
    await standing.record(conn, order, "refund requested", about, actor)
    return refund


async def _insert_pieces(conn: Connection, refund: Refund, plan: RefundPlan) -> None:
    tallies = await parcel_store.select_tallies(conn, refund.order_id)
    taken = domain.taken_over(plan.lines, await parcel_store.select_shelved(conn, refund.order_id))
    await parcel_store.take_over(conn, taken)
    await parcel_store.insert_refunded_pieces(
        conn, refund.order_id, domain.refunded_pieces(refund.id, plan.lines, tallies, taken)
    )


async def _restock(conn: Connection, refund: Refund) -> None:
    """The pieces come back on the shelf: what was sold is for sale again. Those that are there already stay.

    The journal's rows name the refund in their note and not the order, which may return a SKU more than once.
    """
    changes = [Change(sku, quantity, 0) for sku, quantity in await parcel_store.select_to_restock(conn, refund.id)]
    if not changes:
        return
    await parcel_store.update_restocked(conn, refund.id)
    cause = Cause(Reason.RETURN, refund.actor, note=f"refund {refund.id} of order {refund.order_id}")
    await stock.change(conn, changes, cause)
    about = f"order {refund.order_id}"
    await audit(conn, actor=refund.actor, action="order.restock", subject=about, reason=refund.reason)


def _income(incomes: list[Income], payment_intent_id: str | None) -> Income:
    """The payment meant: the one named, else the one that settled the order, else the only one there is."""
    if payment_intent_id is not None:
        found = [income for income in incomes if income.payment_intent_id == payment_intent_id]
    else:
        found = [income for income in incomes if income.settles] or incomes
    if not found:
        raise domain.NothingToRefund("no payment of this order brought money")
    if len(found) > 1:
        raise Conflict("several payments brought money and none settled the order; name the one to refund")
    return found[0]


def _state(status: str) -> RefundState | None:
    """None for what Stripe may add one day: it changes nothing until we know what it means."""
    return RefundState(status) if status in set(RefundState) - {"requested", "refused"} else None
