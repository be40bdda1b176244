"""What Stripe is asked, and what becomes of an order when Stripe speaks.

An event is a hint about an object (decision 6): a legal move is made; for any other the object is fetched later, and
what it says then is applied by the same functions.
"""

from datetime import UTC, datetime

from services.checkout import domain
from services.checkout.actions import attempts, standing, stock
from services.checkout.actions.facts import facts
from services.checkout.actions.standing import record
from services.checkout.domain import RESERVING, Attempt, Hold, IllegalMove, Order, PaymentState, Reason, Received
from services.checkout.store import card_testing as guard_store
from services.checkout.store import ledger as ledger_store
from services.checkout.store import orders as store
from services.checkout.store import payments as payment_store
from services.checkout.store import refunds as refund_store
from services.checkout.stripe_api import (
    ConfirmationRefused,
    Intent,
    NoIntent,
    OutcomeUnknown,
    StoredError,
    Stripe,
    StripeBusy,
    StripeRefused,
)
from shared import outbox
from shared.db import Connection, Pool
from shared.errors import AppError
from shared.events import OrderExpired, OrderPaid, OrderPaymentFailed, PaymentSnapshot
from shared.ids import uuid7
from shared.metrics import counter
from shared.money import Money

PAYMENTS = counter("checkout_payments_total", "Outcomes of payments, by result and category.", ("result", "category"))
HINTS = counter("checkout_payment_hints_total", "What Stripe told us, by what we did with it.", ("status", "outcome"))


async def create_intent(pool: Pool, stripe: Stripe, attempt: Attempt) -> Intent:
    """Makes the attempt and records how it ended; raises what `stripe_api` raises, after recording that.

    A refusal comes as NoIntent: an earlier try, if there was one, has made none either. After ConfirmationRefused
    there is a new attempt, without the confirmation, for whoever takes its lease.
    """
    if attempt.confirms and datetime.now(UTC) - attempt.created_at > attempts.KEY_IS_GOOD_FOR:
        return await find_intent(pool, stripe, attempt)
    try:
        intent = await _create_or_find(stripe, attempt)
    except StoredError:
        await _start_anew(pool, attempt, "stored_error")
        raise
    except ConfirmationRefused:
        await _start_anew(pool, attempts.unconfirmed(attempt), "confirmation_refused")
        raise
    except StripeRefused as error:
        await record_failed_attempt(pool, attempt, error)
        raise NoIntent(error.stripe_code) from error
    except (StripeBusy, OutcomeUnknown) as error:
        await record_failed_attempt(pool, attempt, error)
        raise
    await _record_made(pool, attempt, intent)
    return intent


async def find_intent(pool: Pool, stripe: Stripe, attempt: Attempt) -> Intent:
    """What a confirming attempt has made; it isn't sent again, since that could take the money of who has left.

    Raises NoIntent, and ends the attempt, when it made nothing.
    """
    try:
        intent = await stripe.find_intent(attempt)
        if intent is None:
            raise NoIntent("abandoned")
    except (NoIntent, StripeBusy, OutcomeUnknown) as error:
        await record_failed_attempt(pool, attempt, error)
        raise
    await _record_made(pool, attempt, intent)
    return intent


async def _record_made(pool: Pool, attempt: Attempt, intent: Intent) -> None:
    async with pool.request(order_id=attempt.order_id) as conn:
        await payment_store.update_attempt_succeeded(conn, attempt.id, intent.payment.payment_intent_id)
        await payment_store.insert_payment(conn, attempt.order_id, intent.payment)


async def _create_or_find(stripe: Stripe, attempt: Attempt) -> Intent:
    try:
        return await stripe.create_intent(attempt)
    except (StoredError, StripeRefused, ConfirmationRefused) as error:
        found = await _find_made(stripe, attempt, error)
        if found is None:
            raise
        return found


async def _find_made(stripe: Stripe, attempt: Attempt, error: AppError) -> Intent | None:
    """What this try has made before it failed, or one before it: only a first one that is refused has surely not."""
    if isinstance(error, ConfirmationRefused):
        return await stripe.find_confirmed(attempt)
    if isinstance(error, StripeRefused) and not attempt.was_tried:
        return None
    return await stripe.find_intent(attempt)


async def _start_anew(pool: Pool, attempt: Attempt, why: str) -> None:
    """The key is spent and made nothing: the next try has a key of its own.

    Should the first PaymentIntent turn up after all, nobody has its client secret, so nobody can pay it; and of two
    with one ConfirmationToken only one can be confirmed.
    """
    fresh = attempts.again(attempt, uuid7(), datetime.now(UTC))
    async with pool.request(order_id=attempt.order_id) as conn:
        if await payment_store.update_attempt_failed(conn, attempt.id, "refused", why):  # else somebody has begun anew
            await payment_store.insert_attempt(conn, fresh, lease_s=0)


async def record_failed_attempt(
    pool: Pool, attempt: Attempt, error: StripeRefused | StripeBusy | OutcomeUnknown
) -> None:
    """A refusal ends the attempt. Anything else leaves it to be tried again with the same key: never 'failed'."""
    state = "refused" if isinstance(error, StripeRefused) else "unknown"
    code = error.stripe_code if isinstance(error, StripeRefused) else error.code
    async with pool.request(order_id=attempt.order_id) as conn:
        await payment_store.update_attempt_failed(conn, attempt.id, state, code)


async def apply(conn: Connection, order: Order, payment: PaymentSnapshot, hint_id: str) -> None:
    """Moves the order, locked by the caller, to what the PaymentIntent says; does nothing when it stands there.

    `hint_id` names a refusal whose charge is not known. Raises IllegalMove when the order can't go there.
    """
    await payment_store.upsert_payment(conn, order.id, payment)
    match payment.status:
        case "succeeded":
            await _settle(conn, order, payment)
        case "processing":
            await _move(conn, order, PaymentState.PROCESSING)
        case "requires_payment_method" if _is_refused(payment):
            await _fail(conn, order, payment, hint_id)
        case "canceled" if order.payment in RESERVING and order.hold is not Hold.PAYMENT_DIFFERS:
            if not await payment_store.has_other_live_payment(conn, order.id, payment.payment_intent_id):
                await release(conn, order)
        case _:
            pass  # the customer has not finished, or we know it already
    HINTS.labels(status=payment.status, outcome="applied").inc()


async def is_ours(conn: Connection, payment: PaymentSnapshot) -> bool:
    """Whether it names an order of this shop: one is written before Stripe hears of it, so no event overtakes it."""
    return payment.order_id is not None and bool(await store.select_known(conn, [payment.order_id]))


async def apply_hint(conn: Connection, payment: PaymentSnapshot, hint_id: str) -> None:
    """What an event said. Raises NotFound (it may have overtaken the order) when there is no such order."""
    assert payment.order_id is not None  # events without one are not published
    order = await store.select_order_for_update(conn, payment.order_id)
    try:
        await apply(conn, order, payment, hint_id)
    except IllegalMove as error:
        HINTS.labels(status=payment.status, outcome="resync").inc()
        await payment_store.request_resync(conn, payment.payment_intent_id, order.id, error.detail)
    if await _is_surplus(conn, order, payment):
        # Given back by the job, once it has seen that nobody else has done so: neither a person nor a bank.
        await payment_store.request_resync(conn, payment.payment_intent_id, order.id, "money that settles nothing")


async def _is_surplus(conn: Connection, order: Order, payment: PaymentSnapshot) -> bool:
    if payment.status != "succeeded" or order.payment not in (PaymentState.PAID, PaymentState.EXPIRED):
        return False
    return await payment_store.select_settling_payment(conn, order.id) != payment.payment_intent_id


async def _settle(conn: Connection, order: Order, payment: PaymentSnapshot) -> None:
    if order.payment is PaymentState.PAID:
        if not await _has_settled(conn, order, payment):
            await _keep_apart(conn, order, payment)
        return
    received = Received(
        payment.payment_intent_id, payment.order_id, Money(payment.amount_received_minor, payment.currency)
    )
    if await refund_store.select_order_of(conn, payment.payment_intent_id) != order.id:
        # It was made for another order, whatever Stripe says of it now: neither is paid by it.
        await _book(conn, order, payment, settles=False)
        await standing.hold(conn, order, Hold.PAYMENT_DIFFERS)
        return
    settled = domain.settle(order, received)
    if settled.payment is not PaymentState.PAID:
        await _keep_apart(conn, order, payment)
        return
    await payment_store.update_settles(conn, payment.payment_intent_id)
    await guard_store.update_origin_paid(conn, order.id)
    await _book(conn, order, payment, settles=True)
    await store.update_payment(conn, settled)
    lines = await store.select_lines(conn, order)
    await stock.move(conn, order.id, Reason.SOLD, lines)
    await record(conn, order, "paid", payment.payment_intent_id)
    await outbox.stage(conn, OrderPaid(order=facts(settled, lines)))
    PAYMENTS.labels(result="paid", category="none").inc()


async def _has_settled(conn: Connection, order: Order, payment: PaymentSnapshot) -> bool:
    """Whether it is what paid the order. When that row is lost the books say so, and it becomes what it was."""
    settling = await payment_store.select_settling_payment(conn, order.id)
    if settling is not None:
        return settling == payment.payment_intent_id
    is_it = await ledger_store.select_settlers(conn, order.id) == [payment.payment_intent_id]
    received = Money(payment.amount_received_minor, payment.currency)
    if not is_it or received != order.total or payment.order_id != order.id:
        return False
    await payment_store.update_settles(conn, payment.payment_intent_id)
    await record(conn, order, "payment restored", payment.payment_intent_id)
    return True


async def _keep_apart(conn: Connection, order: Order, payment: PaymentSnapshot) -> None:
    """Money that settles nothing holds the order. Nobody has to decide about a second payment or a late one."""
    is_news = await _book(conn, order, payment, settles=False)
    order = await standing.reconsider(conn, order)
    if is_news:
        PAYMENTS.labels(result="held", category=order.hold).inc()
    is_over = order.hold is Hold.NONE and order.payment in RESERVING
    if is_over and not await payment_store.has_other_live_payment(conn, order.id, payment.payment_intent_id):
        await release(conn, order)  # it was the wrong money, and a person has given it back


async def _book(conn: Connection, order: Order, payment: PaymentSnapshot, *, settles: bool) -> bool:
    """False when it was booked before."""
    received = Money(payment.amount_received_minor, payment.currency)
    booking = domain.payment_booked(payment.payment_intent_id, order.id, received, settles=settles)
    return await ledger_store.book(conn, booking)


def told_failure(payment: PaymentSnapshot) -> str | None:
    """Why the last try was refused, as the customer may hear it; None while none was."""
    return domain.told_as(_category(payment)) if _is_refused(payment) else None


def _is_refused(payment: PaymentSnapshot) -> bool:
    return payment.status == "requires_payment_method" and bool(payment.failure_code or payment.decline_code)


def _category(payment: PaymentSnapshot) -> str:
    return domain.failure_category(
        payment.advice_code, payment.outcome_reason, payment.decline_code, payment.failure_code
    )


async def _fail(conn: Connection, order: Order, payment: PaymentSnapshot, hint_id: str) -> None:
    failed = domain.move(order, PaymentState.FAILED)
    category = _category(payment)
    failure_id = payment.charge_id or hint_id
    if not await payment_store.count_failure(conn, failure_id, order.id, category):
        return  # another event about the same refusal
    await store.update_payment(conn, failed)
    if order.payment is PaymentState.PROCESSING:
        failed = domain.with_another_try(failed, datetime.now(UTC))
        await store.update_reservation(conn, failed, look_at=failed.reserved_until)
    await record(conn, order, "payment failed", category)
    event = OrderPaymentFailed(
        order=facts(order, await store.select_lines(conn, order)),
        failure_id=failure_id,
        category=category,
        reserved_until=failed.reserved_until,
    )
    await outbox.stage(conn, event)
    PAYMENTS.labels(result="failed", category=category).inc()


async def release(conn: Connection, order: Order) -> None:
    """Ends the reservation. The caller knows that no PaymentIntent of the order can bring money any more."""
    expired = domain.move(order, PaymentState.EXPIRED)
    await store.update_payment(conn, expired)
    lines = await store.select_lines(conn, order)
    await stock.move(conn, order.id, Reason.RELEASED, lines)
    await record(conn, order, "expired", None)
    await outbox.stage(conn, OrderExpired(order=facts(expired, lines)))
    PAYMENTS.labels(result="expired", category="none").inc()


async def _move(conn: Connection, order: Order, to: PaymentState) -> None:
    if order.payment is to:
        return
    await store.update_payment(conn, domain.move(order, to))
    await record(conn, order, to, None)
