"""Sending what was bought: a parcel is handed over, arrives, or comes back. The order is locked throughout."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from services.checkout import domain
from services.checkout.actions import standing
from services.checkout.actions.facts import facts, parcel_facts
from services.checkout.domain import Line, Order, Parcel, ParcelState, ParcelWanted, Tally
from services.checkout.store import orders as store
from services.checkout.store import parcels as parcel_store
from services.checkout.store import payments as payment_store
from services.checkout.store import refunds as refund_store
from shared import outbox
from shared.audit import audit
from shared.db import Connection
from shared.errors import NotFound
from shared.events import OrderDelivered, OrderReturned, OrderShipped
from shared.metrics import counter

PARCELS = counter("checkout_parcels_total", "Parcels by what became of them.", ("state",))


async def ship(conn: Connection, order_id: UUID, wanted: ParcelWanted, actor: str) -> tuple[Parcel, bool]:
    """Writes down a parcel that was handed over, and whether that is news: the same id again answers the same parcel.

    Raises NotFound, ParcelIdTaken, and what `domain.plan_parcel` raises.
    """
    order = await store.select_order_for_update(conn, order_id)
    known = await parcel_store.select_parcel(conn, wanted.id)
    if known is not None:
        return domain.same_parcel(known, order_id, wanted), False
    tallies = await parcel_store.select_tallies(conn, order_id)
    pieces = domain.plan_parcel(order, wanted, tallies, await _left_minor(conn, order_id))
    now = datetime.now(UTC)
    parcel = Parcel(
        wanted.id, order_id, wanted.carrier, wanted.tracking_number, ParcelState.SHIPPED, pieces, actor, now
    )
    if not await parcel_store.insert_parcel(conn, parcel):
        raise domain.ParcelIdTaken("send a new id for another parcel")
    await _follow(conn, order, parcel, (actor, wanted.reason))
    return parcel, True


async def mark(
    conn: Connection, order_id: UUID, parcel_id: UUID, to: ParcelState, who: tuple[str, str | None]
) -> Parcel:
    """Says that a parcel arrived or came back; `who` is the actor and the reason. Saying it again changes nothing.

    Raises NotFound, IllegalMove.
    """
    order = await store.select_order_for_update(conn, order_id)
    known = await parcel_store.select_parcel(conn, parcel_id)
    if known is None or known.order_id != order_id:
        raise NotFound(f"order {order.number} has no parcel {parcel_id}")
    if known.state is to:
        return known
    now, state = datetime.now(UTC), domain.moved(domain.PARCEL_MOVES, known.state, to)
    if state is ParcelState.RETURNED:
        withdrawn = domain.withdrawn_by_return(known.lines, await parcel_store.select_tallies(conn, order_id))
        parcel = replace(known, state=state, returned_at=now)
        await parcel_store.update_parcel_state(conn, parcel)
        await parcel_store.update_withdrawn(conn, parcel, withdrawn)
    else:
        parcel = replace(known, state=state, delivered_at=now)
        await parcel_store.update_parcel_state(conn, parcel)
    await _follow(conn, order, parcel, who)
    return parcel


async def look_at(conn: Connection, order_id: UUID, actor: str) -> tuple[Order, Sequence[Parcel], Sequence[Tally]]:
    """An order's parcels and where its pieces are, for staff: a look that is recorded. Raises NotFound."""
    order = await store.select_order(conn, order_id)
    await audit(conn, actor=actor, action="order.look_at_parcels", subject=f"order {order_id}")
    parcels = await parcel_store.select_parcels(conn, order_id)
    return order, parcels, await parcel_store.select_tallies(conn, order_id)


async def _follow(conn: Connection, order: Order, parcel: Parcel, who: tuple[str, str | None]) -> None:
    """What follows from a parcel that moved: the order's standing, the timeline, the event."""
    actor, reason = who
    lines = await store.select_lines(conn, order)
    about = _in_words(parcel, lines)
    await standing.record(conn, order, f"parcel {parcel.state}", f"{about}: {reason}" if reason else about, actor)
    order = await standing.reconsider_goods(conn, order)
    event = {
        ParcelState.SHIPPED: OrderShipped,
        ParcelState.DELIVERED: OrderDelivered,
        ParcelState.RETURNED: OrderReturned,
    }[parcel.state]
    told = parcel_facts(parcel, lines)
    await outbox.stage(conn, event(order=facts(order, lines), parcel=told, fulfilment=order.fulfilment))
    PARCELS.labels(state=parcel.state).inc()


def _in_words(parcel: Parcel, lines: Sequence[Line]) -> str:
    pieces = ", ".join(f"{quantity} × {lines[at].sku}" for at, quantity in parcel.lines.items())
    return f"{parcel.carrier} {parcel.tracking_number or 'without a number'} ({pieces})"


async def _left_minor(conn: Connection, order_id: UUID) -> int:
    """What is left of the payment that settled the order; nothing when there is none."""
    settling = await payment_store.select_settling_payment(conn, order_id)
    return await refund_store.select_left(conn, settling) if settling else 0
