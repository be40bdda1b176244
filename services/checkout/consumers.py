"""What checkout hears: each consumer writes to the database and nothing else."""

from services.checkout.actions import card_testing, payments, resync
from services.checkout.domain.card_testing import Guard
from services.checkout.store import orders as store
from services.checkout.store import reconciliations
from shared.db import Connection
from shared.events import Event, MailEvent, MoneyEvent, PaymentEvent, ReconciliationEventsFetched


async def on_payment_succeeded(conn: Connection, event: Event, *, is_shared: bool = False) -> None:
    await _apply(conn, event, is_shared=is_shared)


async def on_payment_failed(
    conn: Connection, event: Event, guard: Guard | None = None, *, is_shared: bool = False
) -> None:
    is_ours = await _apply(conn, event, is_shared=is_shared)
    if guard is not None and is_ours:
        assert isinstance(event, PaymentEvent)
        await card_testing.note_failure(conn, guard, event)


async def on_payment_progress(conn: Connection, event: Event, *, is_shared: bool = False) -> None:
    await _apply(conn, event, is_shared=is_shared)


async def on_money_moved(conn: Connection, event: Event) -> None:
    """A refund, a dispute or a review, made here or in Stripe's Dashboard: a job looks at the whole payment."""
    assert isinstance(event, MoneyEvent)
    await resync.note(conn, event)


async def on_mail(conn: Connection, event: Event) -> None:
    """What became of a mail belongs in the order's timeline: whoever asks about the order sees it there."""
    assert isinstance(event, MailEvent)
    what = f"{event.kind} {event.type}"
    await store.insert_timeline(conn, event.order_id, what, actor="notifier", reason=event.message_id)


async def on_events_fetched(conn: Connection, event: Event) -> None:
    """What webhooks found of undelivered events: a run of reconciliation waits for it, and counts it."""
    assert isinstance(event, ReconciliationEventsFetched)
    await reconciliations.update_answered(conn, event.run_id, event.listed, event.fetched)


async def _apply(conn: Connection, event: Event, *, is_shared: bool) -> bool:
    """False for a payment of another shop's, of which there may be some where the account `is_shared`."""
    assert isinstance(event, PaymentEvent)
    if not is_shared or await payments.is_ours(conn, event.payment):
        await payments.apply_hint(conn, event.payment, hint_id=event.stripe_event_id)
        return True
    payments.HINTS.labels(status=event.payment.status, outcome="others").inc()
    return False
