"""The official client against the stand-in: payments, declines, authentication, cancelling, lists."""

import asyncio
from typing import Any

import pytest
import stripe

from tests.integration.standins.conftest import PUBLISHABLE_KEY, StandIn

NO_REDIRECTS = {"enabled": True, "allow_redirects": "never"}


def a_purchase(method: str = "pm_card_visa", **more: Any) -> Any:
    return {
        "amount": 4999,
        "currency": "usd",
        "payment_method": method,
        "confirm": True,
        "automatic_payment_methods": NO_REDIRECTS,
        "metadata": {"order_id": "order-1"},
        **more,
    }


async def test_a_purchase_succeeds(stand_in: StandIn) -> None:
    intent = await stand_in.client.v1.payment_intents.create_async(a_purchase(expand=["latest_charge"]))

    assert (intent.status, intent.amount_received) == ("succeeded", 4999)
    assert intent.metadata["order_id"] == "order-1"
    charge = intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert charge.outcome is not None
    assert (charge.outcome.type, charge.outcome.network_status) == ("authorized", "approved_by_network")
    assert charge.payment_method_details is not None
    assert charge.payment_method_details.card is not None
    assert charge.payment_method_details.card.last4 == "4242"


async def test_the_balance_transaction_appears_later(stand_in: StandIn) -> None:
    intent = await stand_in.client.v1.payment_intents.create_async(a_purchase(expand=["latest_charge"]))
    charge = intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert charge.balance_transaction is None

    await asyncio.sleep(0.1)

    charge = await stand_in.client.v1.charges.retrieve_async(charge.id)
    entry = await stand_in.client.v1.balance_transactions.retrieve_async(str(charge.balance_transaction))
    assert (entry.amount, entry.fee, entry.net, entry.source) == (4999, 175, 4824, charge.id)


async def test_an_intent_is_confirmed_after_it_was_made(stand_in: StandIn) -> None:
    intents = stand_in.client.v1.payment_intents
    intent = await intents.create_async({"amount": 100, "currency": "USD"})
    assert (intent.status, intent.currency) == ("requires_payment_method", "usd")

    intent = await intents.confirm_async(
        intent.id, {"payment_method": "pm_card_mastercard", "return_url": "http://127.0.0.1/back"}
    )

    assert intent.status == "succeeded"
    assert (await intents.retrieve_async(intent.id)).status == "succeeded"


@pytest.mark.parametrize(
    ("method", "code", "decline_code", "outcome"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline", "issuer_declined"),
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline", "issuer_declined"),
        (
            "pm_card_visa_chargeDeclinedInsufficientFunds",
            "card_declined",
            "insufficient_funds",
            "issuer_declined",
        ),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card", "issuer_declined"),
        ("pm_card_chargeDeclinedStolenCard", "card_declined", "stolen_card", "issuer_declined"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card", "issuer_declined"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc", "issuer_declined"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error", "issuer_declined"),
        ("pm_card_chargeCustomerFail", "card_declined", "generic_decline", "issuer_declined"),
        ("pm_card_radarBlock", "card_declined", "fraudulent", "blocked"),
    ],
)
async def test_a_card_is_declined(stand_in: StandIn, method: str, code: str, decline_code: str, outcome: str) -> None:
    with pytest.raises(stripe.CardError) as caught:
        await stand_in.client.v1.payment_intents.create_async(a_purchase(method))

    error = caught.value.error
    assert error is not None
    assert (caught.value.http_status, error.code, error.decline_code) == (402, code, decline_code)
    assert error.payment_intent is not None
    assert error.payment_intent.status == "requires_payment_method"
    assert error.payment_intent.latest_charge == error.charge
    assert error.payment_intent.last_payment_error is not None
    assert error.payment_intent.last_payment_error.decline_code == decline_code
    charge = await stand_in.client.v1.charges.retrieve_async(str(error.charge))
    assert charge.outcome is not None
    assert (charge.status, charge.outcome.type) == ("failed", outcome)
    if outcome == "issuer_declined":
        assert error.advice_code == charge.outcome.advice_code is not None


async def test_another_card_pays_after_a_decline(stand_in: StandIn) -> None:
    intents = stand_in.client.v1.payment_intents
    intent = await intents.create_async({"amount": 900, "currency": "usd"})
    with pytest.raises(stripe.CardError):
        await intents.confirm_async(
            intent.id, {"payment_method": "pm_card_chargeDeclined", "return_url": "http://127.0.0.1/back"}
        )

    intent = await intents.confirm_async(
        intent.id, {"payment_method": "pm_card_visa", "return_url": "http://127.0.0.1/back"}
    )

    assert (intent.status, intent.last_payment_error) == ("succeeded", None)
    charges = await stand_in.client.v1.charges.list_async({"payment_intent": intent.id})
    assert [charge.status for charge in charges.data] == ["succeeded", "failed"]


async def test_an_elevated_risk_is_told_but_pays(stand_in: StandIn) -> None:
    intent = await stand_in.client.v1.payment_intents.create_async(
        a_purchase("pm_card_riskLevelElevated", expand=["latest_charge"])
    )
    charge = intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert charge.outcome is not None
    assert (intent.status, charge.outcome.risk_level) == ("succeeded", "elevated")
    assert "risk_score" not in charge.outcome


@pytest.mark.parametrize(
    "method",
    [
        "pm_card_authenticationRequired",
        "pm_card_authenticationRequiredOnSetup",
        "pm_card_threeDSecure2Required",
    ],
)
async def test_an_authenticated_payment_succeeds(stand_in: StandIn, method: str) -> None:
    intents = stand_in.client.v1.payment_intents
    intent = await intents.create_async(a_purchase(method, return_url="http://127.0.0.1/back"))
    assert (intent.status, intent.latest_charge) == ("requires_action", None)
    assert intent.next_action is not None
    assert intent.next_action.redirect_to_url is not None

    await stand_in.control("POST", f"/payment_intents/{intent.id}/authenticate", {"outcome": "succeed"})

    intent = await intents.retrieve_async(intent.id)
    assert (intent.status, intent.next_action, intent.amount_received) == ("succeeded", None, 4999)


async def test_a_failed_authentication_charges_nothing(stand_in: StandIn) -> None:
    intents = stand_in.client.v1.payment_intents
    intent = await intents.create_async(a_purchase("pm_card_authenticationRequired"))

    await stand_in.control("POST", f"/payment_intents/{intent.id}/authenticate", {"outcome": "fail"})

    intent = await intents.retrieve_async(intent.id)
    assert intent.status == "requires_payment_method"
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.code == "payment_intent_authentication_failure"
    assert intent.latest_charge is None


async def test_a_card_may_be_declined_after_authentication(stand_in: StandIn) -> None:
    intents = stand_in.client.v1.payment_intents
    intent = await intents.create_async(a_purchase("pm_card_threeDSecureRequiredChargeDeclined"))

    await stand_in.control("POST", f"/payment_intents/{intent.id}/authenticate", {"outcome": "succeed"})

    intent = await intents.retrieve_async(intent.id, {"expand": ["latest_charge"]})
    assert intent.status == "requires_payment_method"
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert intent.latest_charge.status == "failed"


async def test_off_session_needs_a_card_that_was_set_up(stand_in: StandIn) -> None:
    v1 = stand_in.client.v1
    customer = await v1.customers.create_async({"email": "ann@example.com"})
    with pytest.raises(stripe.CardError) as caught:
        await v1.payment_intents.create_async(a_purchase("pm_card_authenticationRequiredOnSetup", off_session=True))
    assert caught.value.code == "authentication_required"

    first = await v1.payment_intents.create_async(
        a_purchase("pm_card_authenticationRequiredOnSetup", customer=customer.id, setup_future_usage="off_session")
    )
    await stand_in.control("POST", f"/payment_intents/{first.id}/authenticate", {"outcome": "succeed"})
    again = await v1.payment_intents.create_async(
        a_purchase(str(first.payment_method), customer=customer.id, off_session=True)
    )
    assert again.status == "succeeded"


async def test_a_browser_confirms_with_the_client_secret_alone(stand_in: StandIn) -> None:
    intent = await stand_in.client.v1.payment_intents.create_async({"amount": 700, "currency": "usd"})
    path = f"/v1/payment_intents/{intent.id}"
    form = {
        "client_secret": str(intent.client_secret),
        "payment_method_data[type]": "card",
        "payment_method_data[card][number]": "4242424242424242",
        "payment_method_data[card][exp_month]": "11",
        "payment_method_data[card][exp_year]": "34",
        "payment_method_data[card][cvc]": "123",
    }

    status, seen, headers = await stand_in.post(f"{path}/confirm", form, PUBLISHABLE_KEY)

    assert (status, seen["status"]) == (200, "succeeded")
    assert "metadata" not in seen
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert (await stand_in.get(path, PUBLISHABLE_KEY))[0] == 400
    assert (await stand_in.get(f"{path}?client_secret=wrong", PUBLISHABLE_KEY))[0] == 400
    assert (await stand_in.get(f"{path}?client_secret={intent.client_secret}", PUBLISHABLE_KEY))[0] == 200
    status, refused, _ = await stand_in.post(f"{path}/cancel", {}, PUBLISHABLE_KEY)
    assert (status, refused["error"]["code"]) == (401, "secret_key_required")


async def test_cancelling_twice_is_refused_with_the_intent(stand_in: StandIn) -> None:
    intents = stand_in.client.v1.payment_intents
    intent = await intents.create_async({"amount": 700, "currency": "usd"})
    canceled = await intents.cancel_async(intent.id, {"cancellation_reason": "abandoned"})
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")

    with pytest.raises(stripe.InvalidRequestError) as caught:
        await intents.cancel_async(intent.id)
    assert (caught.value.http_status, caught.value.code) == (400, "payment_intent_unexpected_state")


async def test_a_succeeded_payment_cannot_be_cancelled(stand_in: StandIn) -> None:
    intents = stand_in.client.v1.payment_intents
    intent = await intents.create_async(a_purchase())
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await intents.cancel_async(intent.id)
    error = caught.value.error
    assert error is not None
    assert error.payment_intent is not None
    assert (error.code, error.payment_intent.status) == ("payment_intent_unexpected_state", "succeeded")


async def test_lists_go_page_by_page_newest_first(stand_in: StandIn) -> None:
    intents = stand_in.client.v1.payment_intents
    made = [(await intents.create_async({"amount": 100 + n, "currency": "usd"})).id for n in range(7)]
    newest_first = made[::-1]

    page = await intents.list_async({"limit": 3})
    assert ([intent.id for intent in page.data], page.has_more) == (newest_first[:3], True)
    page = await intents.list_async({"limit": 3, "starting_after": newest_first[2]})
    assert [intent.id for intent in page.data] == newest_first[3:6]
    page = await intents.list_async({"limit": 2, "ending_before": newest_first[5]})
    assert ([intent.id for intent in page.data], page.has_more) == (newest_first[3:5], True)
    everything = await intents.list_async({"limit": 2})
    assert [intent.id async for intent in everything.auto_paging_iter()] == newest_first
    created = (await intents.retrieve_async(made[-1])).created
    assert len((await intents.list_async({"created": {"gt": created + 60}})).data) == 0
    assert len((await intents.list_async({"created": {"gte": created - 60}})).data) == 7


async def test_customers_live_and_are_deleted(stand_in: StandIn) -> None:
    customers = stand_in.client.v1.customers
    ann = await customers.create_async({"email": "ann@example.com", "metadata": {"a": "1", "b": "2"}})
    ann = await customers.update_async(ann.id, {"name": "Ann", "metadata": {"a": "", "c": "3"}})
    assert ann.metadata is not None
    assert (ann.name, ann.metadata.to_dict()) == ("Ann", {"b": "2", "c": "3"})
    assert [one.id for one in (await customers.list_async({"email": "ann@example.com"})).data] == [ann.id]

    await customers.delete_async(ann.id)

    assert (await customers.retrieve_async(ann.id)).deleted is True
    assert (await customers.list_async()).data == []
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await stand_in.client.v1.payment_intents.create_async({"amount": 100, "currency": "usd", "customer": ann.id})
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


async def test_a_held_payment_is_captured_in_part(stand_in: StandIn) -> None:
    intents = stand_in.client.v1.payment_intents
    intent = await intents.create_async(a_purchase(capture_method="manual"))
    assert (intent.status, intent.amount_capturable) == ("requires_capture", 4999)
    intent = await intents.capture_async(intent.id, {"amount_to_capture": 1000})
    assert (intent.status, intent.amount_received) == ("succeeded", 1000)


async def test_each_use_of_a_named_card_is_a_fresh_method_with_one_fingerprint(stand_in: StandIn) -> None:
    methods, fingerprints = set(), set()
    for _ in range(2):
        intent = await stand_in.client.v1.payment_intents.create_async(a_purchase(expand=["payment_method"]))
        method = intent.payment_method
        assert isinstance(method, stripe.PaymentMethod)
        assert method.card is not None
        methods.add(method.id)
        fingerprints.add(method.card.fingerprint)
    assert (len(methods), len(fingerprints)) == (2, 1)


@pytest.mark.parametrize(("iban", "ends"), [("AT611904300234573201", "succeeded"), ("AT861904300235473202", "failed")])
async def test_a_sepa_debit_is_on_its_way_for_days(stand_in: StandIn, iban: str, ends: str) -> None:
    data = {"type": "sepa_debit", "sepa_debit": {"iban": iban}}
    form: Any = {"currency": "eur", "payment_method": None, "payment_method_data": data}
    asked = {name: value for name, value in a_purchase(**form, expand=["latest_charge"]).items() if value is not None}
    intents = stand_in.client.v1.payment_intents
    intent = await intents.create_async(asked)  # type: ignore[arg-type]
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert (intent.status, intent.latest_charge.status) == ("processing", "pending")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await intents.cancel_async(intent.id)
    assert refused.value.code == "payment_intent_unexpected_state"

    await stand_in.control("POST", "/clock/advance", {"seconds": 6 * 86_400})

    intent = await intents.retrieve_async(intent.id, {"expand": ["latest_charge"]})
    assert isinstance(intent.latest_charge, stripe.Charge)
    is_paid = ends == "succeeded"
    assert (intent.status, intent.latest_charge.status) == ("succeeded" if is_paid else "requires_payment_method", ends)
    assert intent.amount_received == (4999 if is_paid else 0)


async def test_a_sepa_debit_is_in_euros(stand_in: StandIn) -> None:
    form = {"amount": "4999", "currency": "usd", "confirm": "true", "return_url": "http://127.0.0.1/back"}
    debit = {"payment_method_data[type]": "sepa_debit", "payment_method_data[sepa_debit][iban]": "AT611904300234573201"}
    status, body, _ = await stand_in.post("/v1/payment_intents", {**form, **debit})
    assert (status, body["error"]["param"]) == (400, "payment_method")
