"""Where an order stands once something about its money has changed: derived anew from what is known, then announced.

Whatever comes first, the same facts end in the same hold, dispute, fulfilment and sum given back.
"""

from dataclasses import replace
from datetime import datetime

from services.checkout import domain
from services.checkout.actions.facts import facts
from services.checkout.domain import DISPUTE_MOVES, FULFILMENT_MOVES, DisputeState, Fulfilment, Hold, Income, Order
from services.checkout.store import orders as store
from services.checkout.store import parcels as parcel_store
from services.checkout.store import refunds as refund_store
from shared import outbox
from shared.audit import audit
from shared.db import Connection
from shared.events import OrderDisputed, OrderHeld, OrderReleased
from shared.metrics import counter

HOLDS = counter("checkout_holds_total", "Orders that were held or released, by reason.", ("reason", "outcome"))

STRIPE = "stripe"  # the actor of whatever Stripe's word brings about


async def reconsider(conn: Connection, order: Order, actor: str = STRIPE) -> Order:
    """The order, locked by the caller, as it stands now; what changed is written and told."""
    incomes = await refund_store.select_incomes(conn, order.id)
    has_failed = await refund_store.has_failed_refund(conn, order.id)
    statuses = (await refund_store.select_dispute_statuses(conn, order.id)).values()
    refunded = sum(income.refunded_minor for income in incomes if income.settles)
    now = replace(
        order,
        hold=domain.hold_of(order, incomes, has_failed_refund=has_failed),
        dispute=_dispute(order, domain.gravest(statuses)),
        refunded_minor=refunded,
        fulfilment=await _fulfilment(conn, order, incomes),
    )
    if now != order:
        await store.update_facts(conn, now)
        if now.hold is Hold.NONE:
            await store.update_look_forward(conn, now.id)
        await _tell(conn, order, now, actor)
    return now


async def reconsider_goods(conn: Connection, order: Order) -> Order:
    """Only where the goods of the order, locked by the caller, are: a parcel is no news about money or holds.

    Written even when that stays the same: whoever watches the order is told of every parcel (see select_versions).
    """
    incomes = await refund_store.select_incomes(conn, order.id)
    now = replace(order, fulfilment=await _fulfilment(conn, order, incomes))
    await store.update_facts(conn, now)
    return now


async def hold(conn: Connection, order: Order, why: Hold) -> None:
    """Holds an order for what its own payments don't show; the next news of those is what ends it."""
    if order.hold is not why:
        held = replace(order, hold=why)
        await store.update_facts(conn, held)
        await _tell(conn, order, held, STRIPE)


async def tell_of_answer(conn: Connection, order: Order, was_due_at: datetime | None) -> None:
    """For a dispute that goes on: whether it was answered, or has to be again, since `was_due_at` was true."""
    due_at = await refund_store.select_evidence_due(conn, order.id)
    if due_at == was_due_at:
        return
    await record(conn, order, "dispute to be answered" if due_at else "dispute answered", None)
    told = facts(order, await store.select_lines(conn, order))
    await outbox.stage(conn, OrderDisputed(order=told, dispute=order.dispute, due_at=due_at))


async def record(conn: Connection, order: Order, what: str, reason: str | None, actor: str = STRIPE) -> None:
    """In the order's timeline and in the audit trail."""
    await store.insert_timeline(conn, order.id, what, actor=actor, reason=reason)
    action = f"order.{what.replace(' ', '_')}"
    await audit(conn, actor=actor, action=action, subject=f"order {order.id}", reason=reason)


def _dispute(order: Order, to: DisputeState) -> DisputeState:
    return order.dispute if to is order.dispute else domain.moved(DISPUTE_MOVES, order.dispute, to)


async def _fulfilment(conn: Connection, order: Order, incomes: list[Income]) -> Fulfilment:
    states = [parcel.state for parcel in await parcel_store.select_parcels(conn, order.id)]
    tallies = await parcel_store.select_tallies(conn, order.id)
    is_given_back = any(income.settles and income.left_minor <= 0 for income in incomes)
    to = domain.fulfilment_of(order, states, tallies, is_given_back=is_given_back)
    return to if to is order.fulfilment else domain.moved(FULFILMENT_MOVES, order.fulfilment, to)


async def _tell(conn: Connection, was: Order, now: Order, actor: str) -> None:
    lines = await store.select_lines(conn, now)
    told = facts(now, lines)
    if now.hold is Hold.NONE and was.hold is not Hold.NONE:
        await record(conn, now, "released", was.hold, actor)
        await outbox.stage(conn, OrderReleased(order=told, reason=was.hold))
        HOLDS.labels(reason=was.hold, outcome="released").inc()
    elif now.hold is not was.hold:
        await record(conn, now, "held", now.hold, actor)
        await outbox.stage(conn, OrderHeld(order=told, reason=now.hold, fulfilment=now.fulfilment))
        HOLDS.labels(reason=now.hold, outcome="held").inc()
    if now.dispute is not was.dispute:
        await record(conn, now, "disputed", now.dispute, actor)
        due_at = await refund_store.select_evidence_due(conn, now.id)
        await outbox.stage(conn, OrderDisputed(order=told, dispute=now.dispute, due_at=due_at))
    if now.fulfilment is not was.fulfilment and now.fulfilment is Fulfilment.CANCELLED:
        await record(conn, now, "cancelled", "all of it was given back", actor)
