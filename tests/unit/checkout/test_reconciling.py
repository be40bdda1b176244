"""What Stripe shows against what we hold: each difference, and all that is none."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.checkout.domain import Hold, PaymentState
from services.checkout.domain.reconciling import (
    Difference,
    Known,
    Row,
    Shown,
    compare,
    is_old_enough,
    next_interval_s,
    since,
)
from shared.events import PaymentSnapshot
from shared.money import Money

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
ORDER, OTHER = UUID(int=1), UUID(int=2)
PRICE = 6500


def shown(status: str = "succeeded", *, received: int | None = None, **changes) -> Shown:
    """As Stripe shows it: paid, unless it says something else."""
    got = received if received is not None else PRICE if status == "succeeded" else 0
    fields = {
        "payment_intent_id": "pi_1",
        "status": status,
        "amount_minor": PRICE,
        "amount_received_minor": got,
        "currency": "usd",
        "order_id": ORDER,
    }
    of_payment = {name: changes.pop(name) for name in list(changes) if name in PaymentSnapshot.model_fields}
    return Shown(PaymentSnapshot.model_validate({**fields, **of_payment}), **changes)


def known(payment: str = "paid", status: str = "succeeded", **changes) -> Known:
    """As we hold it: the same, settled by this payment if it is paid."""
    is_paid = payment == "paid"
    row = Row(ORDER, status, PRICE if status == "succeeded" else 0, settles=is_paid, review="none")
    state = PaymentState(payment)
    found = Known(
        ORDER, "K-1", state, Hold.NONE, Money(PRICE, "usd"), row, 0, {}, {}, "pi_1" if is_paid else None, False
    )
    return replace(found, **changes)


def row_of(found: Known, **changes) -> Known:
    assert found.row is not None
    return replace(found, row=replace(found.row, **changes))


EQUAL = [
    (shown(), known()),
    (shown("requires_payment_method"), known("awaiting", "requires_action")),
    (shown("requires_payment_method", failure_code="card_declined"), known("failed", "requires_payment_method")),
    (shown("requires_action", failure_code="card_declined"), known("failed", "requires_payment_method")),
    (shown("processing"), known("processing", "processing")),
    (shown("canceled"), known("expired", "canceled")),
    (shown("canceled"), known("awaiting", "canceled", has_other_live=True)),
    (shown("canceled", amount_minor=1), known("expired", "canceled")),
    (shown(refunded_minor=500), known(refunded_minor=500)),
    (shown(refunds={"re_1": "failed"}), known(refunds={"re_1": "failed"})),
    (shown(is_disputed=True), known(disputes={"du_1": "lost"})),
    (shown(review="closed"), row_of(known(), review="closed")),
    # Money that settles nothing: held, or given back.
    (shown(), row_of(known(settled_by="pi_2", hold=Hold.PAID_TWICE), settles=False)),
    (shown(refunded_minor=PRICE), row_of(known(settled_by="pi_2", refunded_minor=PRICE), settles=False)),
    (shown(refunded_minor=PRICE), known("expired", refunded_minor=PRICE)),
    (shown(), known("expired", hold=Hold.PAID_TOO_LATE)),
    # A person has paid it back another way, or the bank has taken it.
    (shown(), row_of(known(settled_by="pi_2", is_owed=False), settles=False)),
    (shown(), known("expired", is_owed=False)),
    (shown(amount_minor=1, received=1), row_of(known("expired", is_owed=False), received_minor=1)),
    (shown("requires_payment_method"), row_of(known(settled_by="pi_2", status="requires_action"), settles=False)),
]


@pytest.mark.parametrize(("at_stripe", "here"), EQUAL)
def test_what_agrees_is_left_alone(at_stripe, here):
    assert compare(at_stripe, here) is None


@pytest.mark.parametrize(
    ("at_stripe", "here", "difference"),
    [
        (shown(), known(row=None), Difference.ROW_MISSING),
        (shown(order_id=OTHER), known(), Difference.CONTRADICTS),
        (shown(), known("awaiting", "requires_action"), Difference.BEHIND),
        (shown(received=1), known(), Difference.BEHIND),
        (shown(), known("awaiting"), Difference.BEHIND),
        (shown(), known("expired"), Difference.BEHIND),
        (shown(), row_of(known(settled_by=None), settles=False), Difference.BEHIND),
        (shown(), row_of(known(settled_by="pi_2"), settles=False), Difference.BEHIND),
        (shown("processing"), known("failed", "processing"), Difference.BEHIND),
        (
            shown("requires_payment_method", decline_code="lost_card"),
            known("awaiting", "requires_payment_method"),
            Difference.BEHIND,
        ),
        (shown("canceled"), known("awaiting", "canceled"), Difference.BEHIND),
        (shown("requires_action", amount_minor=1), known("awaiting", "requires_action"), Difference.AMOUNT_DIFFERS),
        (shown("requires_action", currency="eur"), known("awaiting", "requires_action"), Difference.AMOUNT_DIFFERS),
        (shown("requires_action"), known(status="requires_action"), Difference.CONTRADICTS),
        (shown("canceled"), row_of(known(settled_by=None, status="canceled"), settles=False), Difference.CONTRADICTS),
        (shown(refunded_minor=500), known(), Difference.REFUNDS_UNHEARD),
        (shown(refunds={"re_1": "succeeded"}), known(refunds={"re_1": "pending"}), Difference.REFUNDS_UNHEARD),
        (shown(is_disputed=True), known(), Difference.DISPUTE_UNHEARD),
        (shown(disputes={"du_1": "won"}), known(disputes={"du_1": "under_review"}), Difference.DISPUTE_UNHEARD),
        (shown(review="open"), known(), Difference.REVIEW_UNHEARD),
    ],
)
def test_what_differs_is_named(at_stripe, here, difference):
    assert compare(at_stripe, here) is difference


def test_news_has_time_to_come_by_itself():
    minute = timedelta(minutes=1)
    assert is_old_enough(shown(changed_at=NOON - minute), NOON, minute)
    assert not is_old_enough(shown(changed_at=NOON - minute / 2), NOON, minute)
    assert is_old_enough(shown(), NOON, minute)


def test_the_pause_is_short_after_a_find_and_widens_up_to_its_bound():
    assert next_interval_s(3600, 1, 300, 3600) == 300
    assert [next_interval_s(previous, 0, 300, 3600) for previous in (0, 300, 3000, 3600)] == [300, 450, 3600, 3600]
    assert next_interval_s(0, 0, 300, 10) == 300  # bounds the wrong way round


def test_each_run_reaches_into_the_one_before():
    week, hour = timedelta(days=7), timedelta(hours=1)
    assert since(None, NOON, week, hour) == NOON - week
    assert since(NOON - hour, NOON, week, hour) == NOON - 2 * hour
