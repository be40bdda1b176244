"""SetupIntents and ConfirmationTokens."""

import pytest
import stripe

from tests.conformance.stories import NO_REDIRECTS, advance, authenticate, paid, refused, told_types
from tests.integration.standins.conftest import StandIn

DAY_S = 86_400


async def token_for(stand_in: StandIn, **more: str) -> str:
    made = await stand_in.client.v1.test_helpers.confirmation_tokens.create_async(
        {"payment_method": "pm_card_visa", "return_url": "http://127.0.0.1/", **more}  # type: ignore[typeddict-item]
    )
    return made.id


async def test_a_confirmation_token_creates_and_confirms(stand_in: StandIn) -> None:
    token = await token_for(stand_in, setup_future_usage="off_session")
    intents = stand_in.client.v1.payment_intents
    intent = await intents.create_async(
        {"amount": 900, "currency": "usd", "confirm": True, "confirmation_token": token}
    )
    assert intent.status == "succeeded"
    seen = await stand_in.client.v1.confirmation_tokens.retrieve_async(token)
    assert seen.payment_intent == intent.id
    assert seen.payment_method_preview is not None


async def test_a_confirmation_token_confirms_what_was_made_before(stand_in: StandIn) -> None:
    intents = stand_in.client.v1.payment_intents
    intent = await intents.create_async({"amount": 900, "currency": "usd"})
    intent = await intents.confirm_async(intent.id, {"confirmation_token": await token_for(stand_in)})
    assert intent.status == "succeeded"


@pytest.mark.assumes("A-39")
async def test_a_confirmation_token_works_once_and_for_half_a_day(stand_in: StandIn) -> None:
    intents = stand_in.client.v1.payment_intents
    used, late = await token_for(stand_in), await token_for(stand_in)
    for token in (used, late):
        if token == late:
            await advance(stand_in, DAY_S)
        form = {"amount": 900, "currency": "usd", "confirm": True, "confirmation_token": used}
        if token == used:
            await intents.create_async(form)  # type: ignore[arg-type]
        error = await refused(intents.create_async({**form, "confirmation_token": token}))  # type: ignore[arg-type]
        assert error.http_status == 400


async def test_a_setup_saves_a_card_for_later(stand_in: StandIn) -> None:
    v1 = stand_in.client.v1
    customer = await v1.customers.create_async({})
    setup = await v1.setup_intents.create_async({"customer": customer.id, "automatic_payment_methods": NO_REDIRECTS})
    assert setup.status == "requires_payment_method"
    setup = await v1.setup_intents.confirm_async(setup.id, {"payment_method": "pm_card_authenticationRequiredOnSetup"})
    assert setup.status == "requires_action"
    await authenticate(stand_in, setup.id)
    setup = await v1.setup_intents.retrieve_async(setup.id)
    assert setup.status == "succeeded"
    again = await paid(stand_in, str(setup.payment_method), customer=customer.id, off_session=True)
    assert again.status == "succeeded"
    attempts = await v1.setup_attempts.list_async({"setup_intent": setup.id})
    assert [attempt.status for attempt in attempts.data] == ["succeeded"]


@pytest.mark.assumes("A-40")
async def test_a_setup_with_a_declining_card_is_refused(stand_in: StandIn) -> None:
    calling = stand_in.client.v1.setup_intents.create_async(
        {"payment_method": "pm_card_chargeDeclined", "confirm": True, "automatic_payment_methods": NO_REDIRECTS}
    )
    error = await refused(calling)
    assert isinstance(error, stripe.CardError)
    assert error.error is not None
    assert error.error.setup_intent is not None
    assert error.error.setup_intent.status == "requires_payment_method"


async def test_a_setup_whose_authentication_fails_says_so(stand_in: StandIn) -> None:
    setups = stand_in.client.v1.setup_intents
    setup = await setups.create_async(
        {"payment_method": "pm_card_authenticationRequired", "confirm": True, "return_url": "http://127.0.0.1/"}
    )
    await authenticate(stand_in, setup.id, "fail")
    setup = await setups.retrieve_async(setup.id)
    assert setup.last_setup_error is not None
    assert setup.last_setup_error.code == "setup_intent_authentication_failure"
    assert "setup_intent.setup_failed" in await told_types(stand_in)


async def test_a_setup_is_cancelled_once_and_listed(stand_in: StandIn) -> None:
    setups = stand_in.client.v1.setup_intents
    setup = await setups.create_async({})
    assert (await setups.cancel_async(setup.id)).status == "canceled"
    assert (await refused(setups.cancel_async(setup.id))).code == "setup_intent_unexpected_state"
    assert [one.id for one in (await setups.list_async()).data] == [setup.id]
