"""Events become letters, each fact one; and letters that are no longer true are withdrawn."""

from datetime import UTC, datetime

from services.notifier import domain, store
from services.notifier.actions.post import LETTERS
from services.notifier.domain import Kind, Reason, Terms
from shared import tracing
from shared.db import Connection
from shared.events import OrderEvent, OrderPaid, OrderPaymentFailed, OrderRefunded, OrderRefundFailed, OrderShipped
from shared.ids import uuid7


async def announce_paid(conn: Connection, event: OrderPaid, terms: Terms) -> None:
    """A confirmation; and no failure mail any more, now or from an event that is still on its way."""
    await store.insert_paid_order(conn, event)
    withdrawn = await store.withdraw_failure_letters(conn, event.order.order_id)
    LETTERS.labels(kind=Kind.PAYMENT_FAILED, outcome="withdrawn").inc(withdrawn)
    await _write(conn, event, terms)


async def announce_failure(conn: Connection, event: OrderPaymentFailed, terms: Terms) -> None:
    """A failure mail, after a grace in which another card may make it untrue."""
    is_paid = await store.select_is_paid(conn, event.order.order_id)
    await _write(conn, event, terms, untrue=Reason.PAID if is_paid else None)


async def announce(conn: Connection, event: OrderShipped, terms: Terms) -> None:
    """A mail about what can't become untrue."""
    await _write(conn, event, terms)


async def announce_refund(conn: Connection, event: OrderRefunded, terms: Terms) -> None:
    """A mail about a refund, unless it is known to have failed. That may be heard right now: each try asks again."""
    has_failed = await store.select_refund_failed(conn, event)
    await _write(conn, event, terms, untrue=Reason.REFUND_FAILED if has_failed else None)


async def withdraw_refund(conn: Connection, event: OrderRefundFailed) -> None:
    """No mail about a refund that failed, now or from an event that is still on its way; staff are told instead.

    Unless it succeeds after that: Stripe said that it had refused what an earlier try had made.
    """
    await store.upsert_failed_refund(conn, event)
    withdrawn = await store.withdraw_refund_letter(conn, event)
    LETTERS.labels(kind=Kind.ORDER_REFUNDED, outcome="withdrawn").inc(withdrawn)


async def _write(conn: Connection, event: OrderEvent, terms: Terms, untrue: Reason | None = None) -> None:
    """The letter about a fact, once. With `untrue` it is only kept on record."""
    letter = domain.compose(event, uuid7(), terms, datetime.now(UTC), tracing.current_traceparent())
    if untrue is not None:
        letter = domain.withdrawn(letter, untrue)
    if await store.insert_letter(conn, letter):
        LETTERS.labels(kind=letter.kind, outcome="withdrawn" if letter.due_at is None else "written").inc()
    else:
        LETTERS.labels(kind=letter.kind, outcome="repeated").inc()
