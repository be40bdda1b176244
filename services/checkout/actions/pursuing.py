"""Asking Stripe for the refunds that were written down, until each has a known outcome."""

from dataclasses import replace
from datetime import UTC, datetime

from services.checkout import domain
from services.checkout.actions import attempts, refunds
from services.checkout.actions.orders import Till
from services.checkout.domain import Attempt
from services.checkout.store import orders as store
from services.checkout.store import payments as payment_store
from services.checkout.store import refunds as refund_store
from services.checkout.store.refunds import Pursued
from services.checkout.stripe_api import OutcomeUnknown, StoredError, StripeBusy, StripeRefused
from shared.events import RefundSnapshot
from shared.ids import uuid7


async def pursue(till: Till, pursued: Pursued) -> None:
    """One refund, leased to us. Safe to repeat from any point; an outcome that stays unknown raises OutcomeUnknown."""
    refund, attempt = pursued.refund, pursued.attempt
    try:
        told = await _ask(till, pursued)
    except StripeRefused as error:
        await _refused(till, pursued, error.stripe_code)
        return
    except (StripeBusy, OutcomeUnknown) as error:
        # Others have their turn meanwhile, and Stripe its rest.
        asked_for_s = (error.retry_after_s or 0.0) if isinstance(error, StripeBusy) else 0.0
        rest_s = domain.refund_rest_s(attempt.tries, till.settings.refund_rest_s, asked_for_s)
        async with till.pool.worker() as conn:
            await payment_store.update_attempt_failed(conn, attempt.id, "unknown", error.code, rest_s)
        raise
    if told is None:
        await _start_anew(till, pursued)
        return
    async with till.pool.worker() as conn:
        order = await store.select_order_for_update(conn, refund.order_id)
        await payment_store.update_attempt_succeeded(conn, attempt.id, refund.payment_intent_id)
        await refunds.apply(conn, order, [told], refund.payment_intent_id)


async def _ask(till: Till, pursued: Pursued) -> RefundSnapshot | None:
    """The refund; None when the key can no longer tell and there is none.

    Whether it was sent before isn't asked: a process that died after it sent has left no word of that. Raises
    StripeRefused when no earlier try has made it either.
    """
    refund, attempt = pursued.refund, pursued.attempt
    if datetime.now(UTC) - attempt.created_at > attempts.KEY_IS_GOOD_FOR:
        return await till.stripe.find_refund(refund)
    try:
        return await till.stripe.create_refund(attempt)
    except StoredError:
        return await till.stripe.find_refund(refund)
    except StripeRefused:
        found = await till.stripe.find_refund(refund)
        if found is None:
            raise
        return found


async def _refused(till: Till, pursued: Pursued, code: str) -> None:
    refund = pursued.refund
    async with till.pool.worker() as conn:
        order = await store.select_order_for_update(conn, refund.order_id)
        await payment_store.update_attempt_failed(conn, pursued.attempt.id, "refused", code)
        await refunds.refuse(conn, order, refund, code)
        # Perhaps because of something that we have not heard of: a refund in the Dashboard, a dispute.
        await payment_store.request_resync(conn, refund.payment_intent_id, order.id, f"refund refused: {code}")


async def _start_anew(till: Till, pursued: Pursued) -> None:
    """The old key is spent and made nothing: the next round asks under a new one."""
    fresh: Attempt = attempts.again(pursued.attempt, uuid7(), datetime.now(UTC))
    async with till.pool.worker() as conn:
        await store.select_order_for_update(conn, pursued.refund.order_id)
        known = await refund_store.select_refund(conn, pursued.refund.id)
        if known is None or known.attempt_id != pursued.attempt.id:
            return  # its news came another way
        await payment_store.update_attempt_failed(conn, pursued.attempt.id, "refused", "key_spent")
        await refund_store.insert_refund_attempt(conn, fresh)
        await refund_store.update_refund(conn, replace(known, attempt_id=fresh.id))
