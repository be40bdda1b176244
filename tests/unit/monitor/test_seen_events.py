"""What is kept of an event: nothing personal."""

import dataclasses
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from services.monitor.domain.events import seen
from shared import events
from tests.unit.monitor.builders import NOON

ORDER_ID = UUID(int=7)


def order_facts(**changes: Any) -> events.OrderFacts:
    given: dict[str, Any] = {
        "order_id": ORDER_ID,
        "number": "KCT-1001",
        "email": "ada@example.com",
        "locale": "en",
        "currency": "usd",
        "total_minor": 12_900,
        "lines": (),
        "shipping_address": {
            "name": "Ada Lovelace",
            "line1": "12 St James Square",
            "city": "London",
            "postal_code": "SW1Y 4JH",
            "country": "GB",
        },
    }
    return events.OrderFacts(**(given | changes))


def test_a_paid_order_is_kept_with_its_amount():
    kept = seen(events.OrderPaid(order=order_facts()))

    assert (kept.type, kept.order_number, kept.order_id) == ("order.paid", "KCT-1001", ORDER_ID)
    assert (kept.amount_minor, kept.currency) == (12_900, "usd")


def test_a_failed_try_is_kept_with_its_category():
    event = events.OrderPaymentFailed(
        order=order_facts(), failure_id="f", category="card_declined", reserved_until=NOON
    )

    assert (seen(event).category, seen(event).amount_minor) == ("card_declined", None)


def test_no_name_and_no_address_is_kept():
    kept = str(dataclasses.asdict(seen(events.OrderPaid(order=order_facts()))))

    assert not any(personal in kept for personal in ("Ada", "ada@", "James", "SW1Y"))


@pytest.mark.parametrize(
    ("event", "order_id"),
    [
        (events.MailAccepted(letter_id=UUID(int=1), order_id=ORDER_ID, kind="k", message_id="m"), ORDER_ID),
        (
            events.SecurityLivemodeMismatch(severity="info", service="webhooks", detail="x"),
            None,
        ),
        (
            events.PaymentSucceeded(
                stripe_event_id="evt_1",
                livemode=False,
                payment=events.PaymentSnapshot(
                    payment_intent_id="pi_1",
                    status="succeeded",
                    amount_minor=1,
                    amount_received_minor=1,
                    currency="usd",
                    order_id=ORDER_ID,
                ),
            ),
            ORDER_ID,
        ),
    ],
    ids=lambda value: getattr(value, "type", str(value)),
)
def test_an_event_is_kept_with_the_order_it_is_about(event, order_id):
    assert seen(event).order_id == order_id


def test_an_odd_value_is_cut_or_left_out_rather_than_refused():
    kept = seen(events.OrderPaid(order=order_facts(number="N" * 500, currency="dollars")))

    assert (len(kept.order_number or ""), kept.amount_minor, kept.currency) == (100, None, None)


def test_a_security_event_is_kept_with_what_it_says():
    event = events.SecurityBadSignatures(severity="warning", service="webhooks", detail="x" * 600, count=10)

    assert (seen(event).severity, seen(event).detail) == ("warning", "x" * 500)


def test_news_of_the_endpoint_say_what_it_is_in_a_few_words():
    at = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)
    told = [
        events.WebhookBackfilled(events=250, oldest=at, newest=at),
        events.WebhookEndpointDisabled(problems=("disabled",)),
        events.WebhookEndpointMisconfigured(problems=("other_version", "types_missing")),
        events.WebhookEndpointSilent(heard_at=at, expected=12.5),
        events.WebhookEndpointMended(),
        events.ReconciliationFinished(run_id=UUID(int=1), repaired=3, raised=1),
        events.ReconciliationEventsFetched(run_id=UUID(int=1), listed=5, fetched=2),
    ]

    assert [seen(event).category for event in told] == [
        "caught up: 250 from 25 Nov 09:30:00 to 25 Nov 09:30:00 UTC",
        "disabled",
        "other_version, types_missing",
        "since 25 Nov 09:30:00 UTC",
        None,
        "3 put right, 1 for a person",
        "2 of 5 undelivered were new",
    ]
