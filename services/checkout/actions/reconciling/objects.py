"""The second pass: what Stripe lists against our rows, and what we hold against what Stripe listed."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from services.checkout import stripe_lists as lists
from services.checkout.actions.reconciling.examining import examine
from services.checkout.actions.reconciling.session import ACTOR, Session
from services.checkout.domain.reconciling import Difference, Known, Shown, compare, is_money, is_old_enough
from services.checkout.store import ledger as ledger_store
from services.checkout.store import orders as order_store
from services.checkout.store import reconciling as store
from services.checkout.store.reconciling import Finding, Unsure
from services.checkout.stripe_lists import Json, Listed

# So many orders, or findings, before the run writes down how far it has come.
BATCH = 20
MOST_FINDINGS = 100


async def intents(session: Session) -> str | None:
    """A page of PaymentIntents; answers the cursor of the next."""
    page = await session.page(Listed.INTENTS)
    listed = [lists.shown(item) for item in page.items]
    session.looked(len(listed))
    named = {shown.payment.payment_intent_id: shown.payment.order_id for shown in listed}
    session.seen.update(named if session.is_dry else ())
    async with session.transaction() as conn:
        await store.insert_seen(conn, list(named))
        known = await store.select_known(conn, named)
    asking = {shown.payment.payment_intent_id for shown in listed if _asks_for_a_look(session, shown, known)}
    for payment_intent_id in await _not_yet(session, asking):
        await examine(session, payment_intent_id)
    return page.last


async def _not_yet(session: Session, payment_intent_ids: set[str]) -> list[str]:
    """Those that this run has not examined: a page is read again when its turn ended in the middle."""
    asked = session.not_yet(payment_intent_ids)
    async with session.transaction() as conn:
        found = await store.select_found(conn, asked, session.run.id)
    return [each for each in asked if each not in found]


def _asks_for_a_look(session: Session, shown: Shown, known: Mapping[str, Known]) -> bool:
    ours = known.get(shown.payment.payment_intent_id)
    if not is_old_enough(shown, session.now, session.policy.settle):
        return False
    if ours is not None:
        return compare(shown, ours) is not None
    return not session.policy.is_shared and shown.payment.amount_received_minor > 0 and is_money(shown)


async def refunds(session: Session) -> str | None:
    """A page of refunds: each is known as it stands, or its payment is looked at."""
    page = await session.page(Listed.REFUNDS)
    async with session.transaction() as conn:
        states = await store.select_refund_states(conn, [item["id"] for item in page.items])
    await _look_at_changed(session, page.items, states)
    return page.last


async def disputes(session: Session) -> str | None:
    """A page of disputes, likewise."""
    page = await session.page(Listed.DISPUTES)
    async with session.transaction() as conn:
        states = await store.select_disputes(conn, [item["id"] for item in page.items])
    await _look_at_changed(session, page.items, states)
    return page.last


async def _look_at_changed(session: Session, items: Sequence[Json], states: Mapping[str, str]) -> None:
    session.looked(len(items))
    changed = [item for item in items if item["status"] != states.get(item["id"]) and _is_old(session, item)]
    await look_at_ours(session, {lists.id_of(item["payment_intent"]) for item in changed})


async def look_at_ours(session: Session, payment_intent_ids: set[str | None]) -> None:
    """Examines those of the payments that are of this shop, unless this turn has done so."""
    asked = await _not_yet(session, {each for each in payment_intent_ids if each})
    async with session.transaction() as conn:
        ours = await ledger_store.select_ours(conn, asked)
    for payment_intent_id in asked:
        if payment_intent_id in ours:
            await examine(session, payment_intent_id)


def _is_old(session: Session, item: Json) -> bool:
    return datetime.fromtimestamp(item["created"], UTC) <= session.now - session.policy.settle


async def unseen(session: Session) -> str | None:
    """Orders whose money we count on, and whose payment Stripe did not list: it is asked for by its id."""
    span = (session.run.since, session.run.until - session.policy.settle)
    async with session.transaction() as conn:
        found = await store.select_unseen(conn, span, _after(session), list(session.seen), BATCH)
    for order in found:
        if order.payment_intent_id is None:
            await _raise_without_payment(session, order, Difference.NOT_AT_STRIPE)
        elif session.not_yet({order.payment_intent_id}):
            await examine(session, order.payment_intent_id)
        session.run.cursor = str(order.order_id)
    return str(found[-1].order_id) if len(found) == BATCH else None


async def stuck(session: Session) -> str | None:
    """Orders that hold their goods long after their time, whenever they were placed."""
    async with session.transaction() as conn:
        found = await store.select_stuck(conn, session.now - session.policy.stuck, _after(session), BATCH)
    session.looked(len(found))
    for order in found:
        if order.payment_intent_id is None:
            await _raise_without_payment(session, order, Difference.STUCK)
        else:
            await examine(session, order.payment_intent_id, is_stuck=True)
        session.run.cursor = str(order.order_id)
    return str(found[-1].order_id) if len(found) == BATCH else None


async def _raise_without_payment(session: Session, order: Unsure, difference: Difference) -> None:
    said = "we know of no payment at Stripe for it"
    finding = Finding(difference, order.number, order.order_id, said)
    async with session.transaction() as conn:
        if await session.raise_finding(conn, finding, order.number):
            await order_store.insert_timeline(
                conn, order.order_id, "needs a look", actor=ACTOR, reason=f"{difference}: {said}"
            )


async def findings(session: Session) -> str | None:
    """What is still open and was not met on the way: once more, for it may have been settled."""
    async with session.transaction() as conn:
        still_open = await store.select_open_findings(conn, session.run.id, MOST_FINDINGS)
    for finding in still_open:
        if finding.object_id.startswith("pi_"):
            if session.not_yet({finding.object_id}):
                is_stuck = finding.kind == Difference.STUCK
                await examine(session, finding.object_id, is_stuck=is_stuck)
        elif finding.order_id is not None:
            await _look_again(session, finding)
    return None


async def _look_again(session: Session, finding: Finding) -> None:
    """An order that had no payment at Stripe: has it ended, or got one?"""
    assert finding.order_id is not None
    async with session.transaction() as conn:
        if not await store.is_without_payment(conn, finding.order_id):
            await session.settle(conn, finding.object_id, finding.object_id)


def _after(session: Session) -> UUID | None:
    return UUID(session.run.cursor) if session.run.cursor else None
