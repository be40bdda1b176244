"""Keeps those out who try stolen cards here, and says so."""

import logging
from uuid import NAMESPACE_URL, UUID, uuid5

from services.checkout.actions.standing import record
from services.checkout.domain import Order
from services.checkout.domain.card_testing import Guard, Kind, Origin, TooManyAttempts, counted, passed
from services.checkout.store import card_testing as store
from services.checkout.store import orders as order_store
from shared import outbox
from shared.db import Connection
from shared.events import PaymentEvent, SecurityCardTesting
from shared.metrics import counter

log = logging.getLogger(__name__)

REFUSED = counter(
    "checkout_card_testing_refused_total", "Orders not taken, for too many failures or unpaid orders.", ("because",)
)
FAILURES = counter(
    "checkout_card_testing_failures_total", "Refused cards, by the limits that were passed; none is `none`.", ("limit",)
)
ENDED = counter("checkout_card_testing_ended_total", "Unpaid orders that were ended for it.")

ACTOR = "card-testing guard"

_TOLD = uuid5(NAMESPACE_URL, "urn:kct:card-testing")


async def admit(conn: Connection, guard: Guard, origin: Origin) -> None:
    """Whether this origin may place one more order. Raises TooManyAttempts; the transaction ends with it."""
    if not guard.is_enforced:
        return
    await store.lock_origin(conn, origin)
    keys = origin.keys()
    for because, wait_s in (
        ("failures", await store.select_wait_for_failures(conn, keys, guard.failures)),
        ("unpaid", await store.select_wait_for_orders(conn, keys, guard.unpaid)),
    ):
        if wait_s is not None:
            REFUSED.labels(because).inc()
            log.warning("order refused", extra={"because": because})
            raise TooManyAttempts(wait_s)


async def note_failure(conn: Connection, guard: Guard, event: PaymentEvent) -> None:
    """Counts a refused card, once. What passes a limit ends its order, whose PaymentIntent is then cancelled."""
    payment, order_id = event.payment, event.payment.order_id
    if order_id is None:
        return
    who = await store.select_origin(conn, order_id)
    keys = counted(guard, str(order_id), payment.card, who)
    if not await store.insert_failure(conn, payment.charge_id or event.stripe_event_id, keys):
        return
    limits = passed(guard, await store.count_failures(conn, keys, guard.failures))
    for kind in limits or ("none",):
        FAILURES.labels(kind).inc()
    for kind in limits:
        await _tell(conn, guard, kind, keys[kind])
    if guard.is_enforced and set(limits) - {Kind.SHOP}:
        await _end(conn, order_id, limits)


async def _end(conn: Connection, order_id: UUID, limits: tuple[Kind, ...]) -> None:
    if await store.update_order_due(conn, order_id):
        ENDED.inc()
        order: Order = await order_store.select_order(conn, order_id)
        await record(conn, order, "ended", f"too many failed payments: {', '.join(limits)}", ACTOR)


async def _tell(conn: Connection, guard: Guard, kind: Kind, key: bytes) -> None:
    """Once in a window for each whom it is about; who that is stays a hash."""
    limit = guard.failures[kind]
    turn = int(await _now(conn) // limit.window.total_seconds())
    event = SecurityCardTesting(
        id=uuid5(_TOLD, f"{kind} {key.hex()} {turn}"),
        severity="critical" if kind in (Kind.ADDRESS, Kind.SHOP) else "warning",
        service="checkout",
        detail=f"{limit.most} refused cards within {limit.window.total_seconds() / 3600:g} h {OF[kind]}",
        count=limit.most,
        window_s=int(limit.window.total_seconds()),
        counted_by=kind,
    )
    await outbox.stage_once(conn, event)


OF = {
    Kind.ORDER: "on one order",
    Kind.CARD: "were one card",
    Kind.EMAIL: "from one mail address",
    Kind.CUSTOMER: "from one customer",
    Kind.ADDRESS: "from one network address",
    Kind.SHOP: "in the whole shop",
}


async def _now(conn: Connection) -> float:
    now: float = await conn.fetchval("SELECT extract(epoch FROM now())::float8")
    return now
