"""The end of a reservation: the PaymentIntent is cancelled first, and only then the goods are given back.

A PaymentIntent never expires by itself. Released first, the goods could be sold to somebody else while the first
customer's bank still says yes.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.checkout import domain
from services.checkout.actions import attempts, payments
from services.checkout.actions.orders import Till
from services.checkout.domain import CANCEL_INTENT, CREATE_INTENT, Attempt, Hold, Order, PaymentState
from services.checkout.store import orders as store
from services.checkout.store import payments as payment_store
from services.checkout.stripe_api import (
    Intent,
    NoIntent,
    OutcomeUnknown,
    StoredError,
    StripeBusy,
    StripeRefused,
    UnexpectedState,
)
from shared.db import Connection
from shared.ids import uuid7


async def expire(till: Till, order_id: UUID) -> None:
    """Ends one order's reservation, or settles the order if it turns out to be paid.

    Safe to repeat from any point. When Stripe can't say, nothing is released: the job comes back to the order. Only
    NoIntent tells that no money can come; any other refusal leaves a PaymentIntent that may be paid.
    """
    try:
        if not await _is_to_end(till, order_id):
            return
        intent = await _cancelled_intent(till, order_id)
    except NoIntent:
        intent = None
    except UnexpectedState as error:
        intent = error.intent  # paid, on its way, or cancelled by somebody else
    except StripeRefused:
        async with till.pool.worker() as conn:
            await _put_off(conn, till, order_id)  # such as a payment that the account doesn't know
        raise
    async with till.pool.worker() as conn:
        order = await store.select_order_for_update(conn, order_id)
        if order.payment not in domain.RESERVING:
            return  # an event was quicker
        await _end(conn, order, intent)
        if (await store.select_order(conn, order_id)).hold is not Hold.NONE:
            await _put_off(conn, till, order_id)


async def _end(conn: Connection, order: Order, intent: Intent | None) -> None:
    """Without a PaymentIntent the goods are free, unless an event told of one meanwhile: the next look ends that."""
    if intent is not None:
        await payments.apply(conn, order, intent.payment, hint_id=f"{intent.payment.payment_intent_id} at expiry")
    elif await payment_store.select_live_payment(conn, order.id) is None:
        await payments.release(conn, order)


async def _put_off(conn: Connection, till: Till, order_id: UUID) -> None:
    """An order that waits for a person is not asked about every minute; its release brings the next look forward."""
    await store.update_look(conn, order_id, datetime.now(UTC) + timedelta(seconds=till.settings.held_look_s))


async def _is_to_end(till: Till, order_id: UUID) -> bool:
    """False for an order whose money is on its way, or has just come or failed to: a debit takes days."""
    async with till.pool.worker() as conn:
        order = await store.select_order(conn, order_id)
    if order.payment is not PaymentState.PROCESSING:
        return True
    intent = await till.stripe.retrieve_intent(await _intent_id(till, order_id))
    async with till.pool.worker() as conn:
        order = await store.select_order_for_update(conn, order_id)
        if order.payment is not PaymentState.PROCESSING:
            return False  # an event was quicker
        await payments.apply(conn, order, intent.payment, hint_id=f"{intent.payment.payment_intent_id} at expiry")
        if intent.payment.status == "processing":
            waiting = domain.kept_waiting(order, timedelta(days=till.settings.processing_days))
            look_at = datetime.now(UTC) + timedelta(seconds=till.settings.processing_look_s)
            await store.update_reservation(conn, waiting, look_at)
            return False
        return (await store.select_order(conn, order_id)).payment is PaymentState.PROCESSING


async def _cancelled_intent(till: Till, order_id: UUID) -> Intent:
    """Cancels the order's PaymentIntent. Raises UnexpectedState when that is too late, NoIntent without one."""
    payment_intent_id = await _intent_id(till, order_id)
    wanted = attempts.to_cancel(order_id, payment_intent_id, uuid7(), datetime.now(UTC))
    async with till.pool.worker() as conn:
        await payment_store.insert_attempt(conn, wanted, till.settings.attempt_lease_s)
        # If an earlier try is still open, its key is the one to repeat.
        attempt = await payment_store.select_attempt(conn, order_id, CANCEL_INTENT)
    try:
        intent = await _cancel_or_look(till, attempt)
    except (StripeRefused, StripeBusy, OutcomeUnknown) as error:
        await payments.record_failed_attempt(till.pool, attempt, error)
        raise
    except UnexpectedState as error:
        async with till.pool.worker() as conn:
            await payment_store.update_attempt_failed(conn, attempt.id, "refused", error.intent.payment.status)
        raise
    async with till.pool.worker() as conn:
        await payment_store.update_attempt_succeeded(conn, attempt.id, intent.payment.payment_intent_id)
    return intent


async def _cancel_or_look(till: Till, attempt: Attempt) -> Intent:
    try:
        return await till.stripe.cancel_intent(attempt)
    except StoredError:
        assert attempt.payment_intent_id is not None
        intent = await till.stripe.retrieve_intent(attempt.payment_intent_id)
        if intent.payment.status == "canceled":
            return intent
        # The key can only repeat its error: the next round asks under a new one.
        async with till.pool.worker() as conn:
            await payment_store.update_attempt_failed(conn, attempt.id, "refused", "stored_error")
        raise


async def _intent_id(till: Till, order_id: UUID) -> str:
    """The order's PaymentIntent; of several, one that may still bring money. Raises NoIntent when there is none.

    A creation without a known outcome is repeated, with its key, to learn its id: not so one that would take the money,
    by now, of a customer who may have left.
    """
    async with till.pool.worker() as conn:
        attempt = await payment_store.select_attempt(conn, order_id, CREATE_INTENT)
        if attempt.payment_intent_id is not None or attempt.state == "refused":
            live = await payment_store.select_live_payment(conn, order_id)  # perhaps another, of which an event told
            if found := live or attempt.payment_intent_id:
                return found
            raise NoIntent("refused before")
        leased = await payment_store.lease_attempt(conn, order_id, CREATE_INTENT, till.settings.attempt_lease_s)
    if leased is None:
        raise OutcomeUnknown  # somebody is creating it this very moment
    ask = payments.find_intent if leased.confirms else payments.create_intent
    intent = await ask(till.pool, till.stripe, leased)
    return intent.payment.payment_intent_id
