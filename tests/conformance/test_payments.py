"""PaymentIntents: capture, changes, 3-D Secure, saved methods, locks."""

import asyncio

import pytest
import stripe

from deploy.standins.stripe.config import Config
from tests.conformance.stories import (
    NO_REDIRECTS,
    advance,
    authenticate,
    paid,
    purchase,
    refused,
    sooner_or_later,
    told,
    told_types,
)
from tests.integration.standins.conftest import StandIn, Start

DAY_S = 86_400


async def held(stand_in: StandIn) -> stripe.PaymentIntent:
    return await paid(stand_in, capture_method="manual")


@pytest.mark.assumes("A-11")
async def test_a_purchase_tells_its_events_in_order(start: Start) -> None:
    stand_in = await start(Config(capture_delay_s=3600))  # the balance comes later
    await paid(stand_in)
    assert await told_types(stand_in) == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


async def test_the_default_capture_is_automatic_async_and_books_later(stand_in: StandIn) -> None:
    intent = await paid(stand_in, expand=["latest_charge"])
    assert intent.capture_method == "automatic_async"
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert intent.latest_charge.balance_transaction is None
    await advance(stand_in, 1)
    (updated,) = await told(stand_in, "charge.updated")
    assert updated.data.object["balance_transaction"].startswith("txn_")
    assert updated.request is not None
    assert updated.request.id is None


async def test_automatic_capture_books_at_once(stand_in: StandIn) -> None:
    intent = await paid(stand_in, capture_method="automatic", expand=["latest_charge.balance_transaction"])
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert isinstance(intent.latest_charge.balance_transaction, stripe.BalanceTransaction)


async def test_payment_method_types_is_an_unknown_parameter_now(stand_in: StandIn) -> None:
    status, body, _ = await stand_in.post(
        "/v1/payment_intents", {"amount": "100", "currency": "usd", "payment_method_types[]": "card"}
    )
    assert (status, body["error"]["code"]) == (400, "parameter_unknown")


async def test_metadata_is_merged_and_unset(stand_in: StandIn) -> None:
    intents = stand_in.client.v1.payment_intents
    intent = await intents.create_async({"amount": 100, "currency": "usd", "metadata": {"a": "1", "b": "2"}})
    intent = await intents.update_async(intent.id, {"metadata": {"a": "", "c": "3"}})
    assert intent.metadata.to_dict() == {"b": "2", "c": "3"}


async def test_an_amount_is_updated_before_it_is_paid_only(stand_in: StandIn) -> None:
    intents = stand_in.client.v1.payment_intents
    intent = await intents.create_async({"amount": 100, "currency": "usd"})
    assert (await intents.update_async(intent.id, {"amount": 200})).amount == 200
    done = await paid(stand_in)
    error = await refused(intents.update_async(done.id, {"amount": 200}))
    assert error.code == "payment_intent_unexpected_state"


@pytest.mark.parametrize("amount", [49, 100_000_000])
async def test_an_amount_has_bounds(stand_in: StandIn, amount: int) -> None:
    error = await refused(stand_in.client.v1.payment_intents.create_async({"amount": amount, "currency": "usd"}))
    assert error.code == ("amount_too_small" if amount < 100 else "amount_too_large")


async def test_a_held_payment_is_captured_whole(stand_in: StandIn) -> None:
    intent = await held(stand_in)
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("requires_capture", 5000, 0)
    intent = await stand_in.client.v1.payment_intents.capture_async(intent.id)
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("succeeded", 0, 5000)


async def test_a_part_is_captured_and_the_rest_released(stand_in: StandIn) -> None:
    intent = await held(stand_in)
    intent = await stand_in.client.v1.payment_intents.capture_async(intent.id, {"amount_to_capture": 2000})
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("succeeded", 0, 2000)


@pytest.mark.assumes("A-43")
async def test_parts_are_captured_one_by_one(stand_in: StandIn) -> None:
    capture = stand_in.client.v1.payment_intents.capture_async
    intent = await held(stand_in)
    intent = await capture(intent.id, {"amount_to_capture": 2000, "final_capture": False})
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("requires_capture", 3000, 2000)
    intent = await capture(intent.id, {"amount_to_capture": 1000})
    assert (intent.status, intent.amount_received) == ("succeeded", 3000)


async def test_more_than_is_held_is_not_captured(stand_in: StandIn) -> None:
    intent = await held(stand_in)
    calling = stand_in.client.v1.payment_intents.capture_async(intent.id, {"amount_to_capture": 5001})
    assert (await refused(calling)).code == "amount_too_large"


async def test_a_capture_comes_once(stand_in: StandIn) -> None:
    intent = await held(stand_in)
    await stand_in.client.v1.payment_intents.capture_async(intent.id)
    error = await refused(stand_in.client.v1.payment_intents.capture_async(intent.id))
    assert error.code == "payment_intent_unexpected_state"


@pytest.mark.assumes("A-27")
async def test_cancelling_a_held_payment_releases_it(stand_in: StandIn) -> None:
    intent = await held(stand_in)
    intent = await stand_in.client.v1.payment_intents.cancel_async(intent.id, {"expand": ["latest_charge"]})
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert (intent.status, intent.latest_charge.refunded, intent.amount_capturable) == ("canceled", True, 0)


@pytest.mark.assumes("A-44")
async def test_a_held_payment_expires_after_a_week(stand_in: StandIn) -> None:
    intent = await held(stand_in)
    await advance(stand_in, 7 * DAY_S + 1)
    intent = await stand_in.client.v1.payment_intents.retrieve_async(intent.id)
    assert (intent.status, intent.cancellation_reason) == ("canceled", "automatic")
    assert "charge.expired" in await told_types(stand_in)


@pytest.mark.assumes("A-26")
async def test_too_many_failed_confirmations_cancel(start: Start) -> None:
    stand_in = await start(Config(confirm_limit=2))
    intents = stand_in.client.v1.payment_intents
    intent = await intents.create_async({"amount": 500, "currency": "usd", "automatic_payment_methods": NO_REDIRECTS})
    for _ in range(2):
        await refused(intents.confirm_async(intent.id, {"payment_method": "pm_card_chargeDeclined"}))
    assert (await intents.retrieve_async(intent.id)).status == "canceled"


async def test_after_authentication_the_payment_goes_through(stand_in: StandIn) -> None:
    intent = await paid(stand_in, "pm_card_threeDSecure2Required", return_url="http://127.0.0.1/back")
    assert intent.next_action is not None
    assert (intent.status, intent.next_action.type) == ("requires_action", "redirect_to_url")
    await authenticate(stand_in, intent.id)
    assert (await stand_in.client.v1.payment_intents.retrieve_async(intent.id)).status == "succeeded"


@pytest.mark.assumes("A-12")
async def test_a_failed_authentication_can_be_followed_by_another_card(stand_in: StandIn) -> None:
    intents = stand_in.client.v1.payment_intents
    intent = await paid(stand_in, "pm_card_authenticationRequired")
    await authenticate(stand_in, intent.id, "fail")
    intent = await intents.retrieve_async(intent.id)
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.code == "payment_intent_authentication_failure"
    assert (await intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})).status == "succeeded"


async def test_3d_secure_may_be_asked_for(stand_in: StandIn) -> None:
    options = {"card": {"request_three_d_secure": "any"}}
    assert (await paid(stand_in, payment_method_options=options)).status == "requires_action"


@pytest.mark.assumes("A-13")
async def test_off_session_does_not_wait_for_authentication(stand_in: StandIn) -> None:
    calling = stand_in.client.v1.payment_intents.create_async(
        purchase("pm_card_authenticationRequired", off_session=True)
    )
    assert (await refused(calling)).code == "authentication_required"


@pytest.mark.assumes("A-38")
async def test_a_method_without_customer_pays_once(stand_in: StandIn) -> None:
    first = await paid(stand_in)
    error = await refused(stand_in.client.v1.payment_intents.create_async(purchase(str(first.payment_method))))
    assert error.http_status == 400


@pytest.mark.assumes("A-38")
async def test_a_saved_method_needs_its_customer_named(stand_in: StandIn) -> None:
    v1 = stand_in.client.v1
    customer = await v1.customers.create_async({})
    method = await v1.payment_methods.attach_async("pm_card_visa", {"customer": customer.id})
    assert (await refused(v1.payment_intents.create_async(purchase(method.id)))).http_status == 400
    for _ in range(2):
        assert (await paid(stand_in, method.id, customer=customer.id)).status == "succeeded"
    assert [one.id for one in (await v1.customers.payment_methods.list_async(customer.id)).data] == [method.id]
    assert (await v1.payment_methods.detach_async(method.id)).customer is None


@pytest.mark.assumes("A-25")
async def test_two_changes_of_one_object_end_in_a_lock_timeout(start: Start) -> None:
    stand_in = await start(Config(lock_wait_s=0.05))
    intents = stand_in.client.v1.payment_intents
    intent = await intents.create_async({"amount": 500, "currency": "usd"})
    await stand_in.control("POST", "/faults", {"kind": "latency", "delay_s": 1, "path": "*/cancel"})
    slow = asyncio.create_task(intents.cancel_async(intent.id))
    await stand_in.struck()
    error = await refused(intents.update_async(intent.id, {"amount": 600}))
    assert error.http_status == 429
    assert error.error is not None
    assert error.error.code == "lock_timeout"
    assert (error.headers or {})["Stripe-Should-Retry"] == "true"
    assert (await slow).status == "canceled"


async def test_a_lock_is_waited_for(start: Start) -> None:
    stand_in = await start(Config(lock_wait_s=30), retries=0)
    intents = stand_in.client.v1.payment_intents
    intent = await intents.create_async({"amount": 500, "currency": "usd"})
    await stand_in.control("POST", "/locks", {"object": intent.id, "seconds": 0.1})
    assert (await intents.update_async(intent.id, {"amount": 600})).amount == 600
    assert await sooner_or_later(lambda: intents.retrieve_async(intent.id), lambda one: one.amount == 600)
