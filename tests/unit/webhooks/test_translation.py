"""What the other services are told."""

import hashlib
from datetime import UTC, datetime
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.webhooks import domain
from shared import events
from tests.stripe_events import a_payment_intent, a_refused_intent, an_event


@pytest.mark.parametrize(
    ("stripe_type", "event_class"),
    [
        ("payment_intent.succeeded", events.PaymentSucceeded),
        ("payment_intent.payment_failed", events.PaymentFailed),
        ("payment_intent.processing", events.PaymentProcessing),
        ("payment_intent.requires_action", events.PaymentActionRequired),
        ("payment_intent.canceled", events.PaymentCanceled),
    ],
)
def test_each_type_has_its_event(stripe_type, event_class):
    assert type(domain.translate(an_event(stripe_type))) is event_class


@pytest.mark.parametrize("place", ["last_payment_error", "latest_charge"])
def test_of_a_refused_card_only_a_hash_is_told(place):
    refused = a_refused_intent()
    method = {"card": {"fingerprint": "Xt5EWLLDS7FJjR1c"}}
    if place == "last_payment_error":
        refused["last_payment_error"]["payment_method"] = method
    else:
        refused["latest_charge"] = {"id": "ch_1", "payment_method_details": method}
    event = domain.translate(an_event("payment_intent.payment_failed", refused))
    assert event.payment.card == hashlib.sha256(b"Xt5EWLLDS7FJjR1c").hexdigest()
    assert b"Xt5EWLLDS7FJjR1c" not in events.encode(event)


@pytest.mark.parametrize("odd", [None, "card", {"card": None}, {"card": {"fingerprint": 7}}, {"sepa_debit": {}}])
def test_what_has_no_fingerprint_has_no_hash(odd):
    refused = a_refused_intent()
    refused["last_payment_error"]["payment_method"] = odd
    assert domain.translate(an_event("payment_intent.payment_failed", refused)).payment.card is None


def test_a_success_carries_what_the_order_is_held_against():
    intent = a_payment_intent()
    event = domain.translate(an_event(subject=intent, created=1_700_000_000))
    assert isinstance(event, events.PaymentSucceeded)
    assert event.occurred_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert (event.payment.amount_minor, event.payment.amount_received_minor) == (12900, 12900)
    assert (event.payment.currency, event.payment.status) == ("usd", "succeeded")
    assert event.payment.order_id == UUID(intent["metadata"]["order_id"])
    assert event.payment.attempt_id == UUID(intent["metadata"]["attempt_id"])
    assert (event.payment.payment_intent_id, event.payment.charge_id) == (intent["id"], intent["latest_charge"])


def test_a_decline_carries_why():
    payment = _payment(a_refused_intent())
    assert (payment.failure_code, payment.decline_code) == ("card_declined", "insufficient_funds")
    assert (payment.advice_code, payment.network_decline_code) == ("try_again_later", "51")
    assert payment.charge_id is not None


@pytest.mark.parametrize("where", ["latest_charge", "charges"])
def test_the_outcome_is_taken_from_a_charge_that_is_there_whole(where):
    charge = {"id": "ch_1", "outcome": {"type": "blocked", "reason": "highest_risk_level"}}
    changes = (
        {"latest_charge": charge}
        if where == "latest_charge"
        else {"latest_charge": None, "charges": {"data": [charge]}}
    )
    payment = _payment(a_refused_intent(**changes))
    assert (payment.charge_id, payment.outcome_type) == ("ch_1", "blocked")
    assert payment.outcome_reason == "highest_risk_level"


def test_the_same_event_gets_the_same_id_and_another_gets_another():
    one, two = an_event(), an_event()
    first, again, other = domain.translate(one), domain.translate(one), domain.translate(two)
    assert first is not None
    assert again is not None
    assert other is not None
    assert first.id == again.id != other.id


@pytest.mark.parametrize("stripe_type", ["charge.succeeded", "payout.paid", "v2.core.event", "", None, 7])
def test_other_types_are_nobodys_business(stripe_type):
    assert domain.translate(an_event(stripe_type)) is None


@pytest.mark.parametrize(
    "metadata", [None, {}, [], "text", {"order_id": ""}, {"order_id": "4711"}, {"order_id": 4711}, {"attempt_id": "x"}]
)
def test_a_payment_without_an_order_is_not_ours(metadata):
    assert domain.translate(an_event(subject=a_payment_intent(metadata=metadata))) is None


def test_a_malformed_id_of_an_attempt_is_left_out():
    order_id = "0199c4a3-6f3b-7c52-9d0e-3b1f4a5c6d7e"
    payment = _payment(a_payment_intent(metadata={"order_id": order_id, "attempt_id": 5}))
    assert (payment.order_id, payment.attempt_id) == (UUID(order_id), None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("amount", None),
        ("amount", "12900"),
        ("amount", 129.0),
        ("amount", True),
        ("amount", -1),
        ("amount", 2**63),
        ("amount_received", None),
        ("currency", "USD"),
        ("currency", "dollars"),
        ("currency", None),
        ("id", None),
        ("id", "pi\x00"),
        ("status", 5),
    ],
)
def test_what_money_depends_on_has_to_be_right(key, value):
    with pytest.raises(domain.Untranslatable, match=key):
        domain.translate(an_event(subject=a_payment_intent(**{key: value})))


@pytest.mark.parametrize(
    "changes", [{"created": None}, {"created": -1}, {"created": 10**12}, {"livemode": None}, {"livemode": "no"}]
)
def test_the_event_has_to_say_its_time_and_mode(changes):
    with pytest.raises(domain.Untranslatable):
        domain.translate(an_event(**changes))


@pytest.mark.parametrize("failure", ["text", [], 5, {"code": 5, "decline_code": "\x00", "charge": {"id": "x"}}])
def test_an_odd_explanation_of_a_decline_does_not_hold_up_the_payment(failure):
    payment = _payment(a_refused_intent(last_payment_error=failure))
    assert (payment.failure_code, payment.decline_code) == (None, None)


_ODD = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.lists(st.integers(), max_size=2)
)


@given(st.dictionaries(st.sampled_from(sorted(a_payment_intent())), _ODD, max_size=4))
def test_any_intent_is_told_of_ignored_or_untranslatable(changes):
    try:
        event = domain.translate(an_event(subject=a_payment_intent(**changes)))
    except domain.Untranslatable:
        return
    if event is not None:
        assert orjson.loads(events.encode(event))["type"] == "payment.succeeded"


def _payment(intent):
    event = domain.translate(an_event("payment_intent.payment_failed", intent))
    assert isinstance(event, events.PaymentEvent)
    return event.payment


REFUND = {"id": "re_1", "status": "failed", "amount": 500, "currency": "usd", "payment_intent": "pi_1",
          "charge": {"id": "ch_1"}, "metadata": {"refund_id": "0193f0a4-0000-7000-8000-000000000001"},
          "failure_reason": "expired_or_canceled_card"}  # fmt: skip
CHARGE = {"id": "ch_1", "payment_intent": "pi_1", "amount": 900, "amount_refunded": 100, "currency": "usd",
          "balance_transaction": None}  # fmt: skip
DISPUTE = {"id": "du_1", "status": "lost", "amount": 900, "currency": "usd", "payment_intent": "pi_1",
           "charge": "ch_1", "reason": "fraudulent"}  # fmt: skip
WARNING = {"id": "issfr_1", "actionable": True, "fraud_type": "made_with_stolen_card", "charge": "ch_1",
           "payment_intent": "pi_1"}  # fmt: skip
REVIEW = {"id": "prv_1", "open": False, "payment_intent": {"id": "pi_1"}, "charge": "ch_1", "reason": "approved"}


@pytest.mark.parametrize(
    ("stripe_type", "thing", "event_class"),
    [
        ("refund.created", REFUND, events.RefundCreated),
        ("refund.updated", REFUND, events.RefundUpdated),
        ("refund.failed", REFUND, events.RefundFailed),
        ("charge.refund.updated", REFUND, events.RefundUpdated),
        ("charge.refunded", CHARGE, events.PaymentRefunded),
        ("charge.updated", CHARGE, events.PaymentBooked),
        ("charge.dispute.created", DISPUTE, events.DisputeCreated),
        ("charge.dispute.updated", DISPUTE, events.DisputeUpdated),
        ("charge.dispute.closed", DISPUTE, events.DisputeClosed),
        ("charge.dispute.funds_withdrawn", DISPUTE, events.DisputeFundsWithdrawn),
        ("charge.dispute.funds_reinstated", DISPUTE, events.DisputeFundsReinstated),
        ("review.opened", REVIEW, events.ReviewOpened),
        ("review.closed", REVIEW, events.ReviewClosed),
        ("radar.early_fraud_warning.created", WARNING, events.FraudWarningCreated),
        ("radar.early_fraud_warning.updated", WARNING, events.FraudWarningUpdated),
    ],
)
def test_what_becomes_of_a_payment_is_told_with_its_name_and_snapshot(stripe_type, thing, event_class):
    event = domain.translate(an_event(stripe_type, thing))
    assert type(event) is event_class
    assert isinstance(event, events.MoneyEvent)
    assert event.payment_intent_id == "pi_1"
    assert events.decode(events.encode(event)) == event


def test_a_refund_says_whether_it_is_ours_and_why_it_failed():
    event = domain.translate(an_event("refund.failed", REFUND))
    assert isinstance(event, events.RefundFailed)
    assert str(event.refund.our_refund_id) == REFUND["metadata"]["refund_id"]
    assert (event.refund.charge_id, event.refund.failure_reason) == ("ch_1", "expired_or_canceled_card")


@pytest.mark.parametrize(
    ("stripe_type", "thing"),
    [
        ("refund.created", {**REFUND, "amount": -1}),
        ("refund.created", {**REFUND, "status": None}),
        ("charge.updated", {**CHARGE, "currency": "USD"}),
        ("charge.dispute.created", {**DISPUTE, "id": None}),
        ("review.opened", {**REVIEW, "open": "yes"}),
        ("radar.early_fraud_warning.created", {**WARNING, "actionable": None}),
    ],
)
def test_what_is_misstated_about_money_is_not_passed_on(stripe_type, thing):
    with pytest.raises(domain.Untranslatable):
        domain.translate(an_event(stripe_type, thing))
