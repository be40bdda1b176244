"""What the notifier hears: each consumer writes the intent of a letter and nothing else."""

from services.notifier import actions
from services.notifier.domain import Terms
from shared.db import Connection
from shared.events import Event, OrderPaid, OrderPaymentFailed, OrderRefunded, OrderRefundFailed, OrderShipped


async def on_order_paid(conn: Connection, event: Event, *, terms: Terms) -> None:
    assert isinstance(event, OrderPaid)
    await actions.announce_paid(conn, event, terms)


async def on_order_payment_failed(conn: Connection, event: Event, *, terms: Terms) -> None:
    assert isinstance(event, OrderPaymentFailed)
    await actions.announce_failure(conn, event, terms)


async def on_order_shipped(conn: Connection, event: Event, *, terms: Terms) -> None:
    assert isinstance(event, OrderShipped)
    await actions.announce(conn, event, terms)


async def on_order_refunded(conn: Connection, event: Event, *, terms: Terms) -> None:
    assert isinstance(event, OrderRefunded)
    await actions.announce_refund(conn, event, terms)


async def on_order_refund_failed(conn: Connection, event: Event, *, terms: Terms) -> None:
    """Writes no letter, and so needs no terms; all consumers are called alike."""
    assert isinstance(event, OrderRefundFailed)
    await actions.withdraw_refund(conn, event)
