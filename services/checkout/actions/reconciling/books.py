"""The third pass: Stripe's balance transactions against the ledger, and against what they say has happened."""

from services.checkout import domain
from services.checkout import stripe_lists as lists
from services.checkout.actions.balance import of_ours
from services.checkout.actions.reconciling.objects import look_at_ours
from services.checkout.actions.reconciling.session import ACTOR, Session
from services.checkout.domain import BalanceTransaction, Booking
from services.checkout.domain.reconciling import Difference
from services.checkout.store import ledger as ledger_store
from services.checkout.store import reconciling as store
from services.checkout.store.reconciling import Finding
from services.checkout.stripe_lists import Listed
from shared.audit import audit
from shared.db import Connection

MISSING = "not_booked"

# A refund that came back; https://docs.stripe.com/reports/balance-transaction-types
RETURNED = frozenset({"refund_failure", "payment_failure_refund"})


async def balance(session: Session) -> str | None:
    """A page of balance transactions; answers the cursor of the next.

    A payment without one is nothing to raise: with Stripe's default capture it comes later. One that has just come is
    left to the job that books as it goes along.
    """
    page = await session.page(Listed.BALANCE)
    settled = session.now - session.policy.books
    told = [lists.balance_transaction(item) for item in page.items]
    old = [each for each in told if each.created_at <= settled]
    session.looked(len(told))
    await look_at_ours(session, await _unheard(session, old))
    for each in await _wrong(session, old):
        async with session.transaction() as conn:
            await _book_or_raise(session, conn, each)
    return page.last


async def _unheard(session: Session, told: list[BalanceTransaction]) -> set[str | None]:
    """The payments of which Stripe's balance says what we have not heard."""
    async with session.transaction() as conn:
        refunds = await store.select_refund_states(conn, _sources(told, "re_"))
        disputes = await store.select_disputes(conn, _sources(told, "du_", "dp_"))
        known = await store.select_known(
            conn, {each.payment_intent_id: None for each in told if each.payment_intent_id}
        )
    found: set[str | None] = set()
    for each in told:
        source, ours = each.source or "", known.get(each.payment_intent_id or "")
        if source.startswith("re_"):
            ended = refunds.get(source) in ("failed", "canceled")
            is_heard = source in refunds and ended >= (each.type in RETURNED)
        elif source.startswith(("du_", "dp_")):
            is_heard = source in disputes
        else:
            is_heard = ours is not None and ours.row is not None and ours.row.status == "succeeded"
        if not is_heard:
            found.add(each.payment_intent_id)
    return found


def _sources(told: list[BalanceTransaction], *prefixes: str) -> list[str]:
    return [each.source for each in told if each.source and each.source.startswith(prefixes)]


async def _wrong(session: Session, told: list[BalanceTransaction]) -> list[Booking]:
    """What is not booked, or otherwise than Stripe says."""
    async with session.transaction() as conn:
        ours = await of_ours(conn, told)
        booked = await ledger_store.select_booked(conn, "balance", [each.id for each in told])
    found = []
    for each in told:
        booking = domain.balance_booked(each, is_ours=each.id in ours)
        if booking.entries and booked.get(each.id) != sorted(booking.entries, key=ledger_store.in_order):
            found.append(booking)
    return found


async def _book_or_raise(session: Session, conn: Connection, booking: Booking) -> None:
    if await ledger_store.book(conn, booking):
        session.repaired(MISSING, booking.source, None)
        subject = f"balance {booking.source}"
        await audit(conn, actor=ACTOR, action="ledger.book_missing", subject=subject)
        return
    booked = (await ledger_store.select_booked(conn, "balance", [booking.source])).get(booking.source, [])
    if booked == sorted(booking.entries, key=ledger_store.in_order):
        return  # somebody else was quicker
    told, ours = (
        ", ".join(map(_say, entries)) for entries in (sorted(booking.entries, key=ledger_store.in_order), booked)
    )
    finding = Finding(Difference.BALANCE_DIFFERS, booking.source, None, f"Stripe: {told}; booked: {ours}")
    await session.raise_finding(conn, finding, None)


def _say(entry: domain.Entry) -> str:
    return f"{entry.account} {entry.amount_minor} {entry.currency}"
