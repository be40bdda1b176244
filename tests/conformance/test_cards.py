"""Every test card, by its names and its number, does what Stripe's documentation says."""

import pytest
import stripe

from deploy.standins.stripe.cards import CARDS, Card
from tests.conformance.stories import paid, purchase, refused
from tests.integration.standins.conftest import StandIn

# Written down a second time, from the facts: number, what a confirmation comes to.
EXPECTED = {
    "4242424242424242": "succeeded",
    "4000056655665556": "succeeded",
    "5555555555554444": "succeeded",
    "5200828282828210": "succeeded",
    "5105105105105100": "succeeded",
    "378282246310005": "succeeded",
    "6011111111111117": "succeeded",
    "3056930009020004": "succeeded",
    "3566002020360505": "succeeded",
    "6200000000000005": "succeeded",
    "4000000000000002": "card_declined/generic_decline",
    "4000000000009995": "card_declined/insufficient_funds",
    "4000000000009987": "card_declined/lost_card",
    "4000000000009979": "card_declined/stolen_card",
    "4000000000006975": "card_declined/card_velocity_exceeded",
    "4000000000000069": "expired_card/expired_card",
    "4000000000000127": "incorrect_cvc/incorrect_cvc",
    "4000000000000119": "processing_error/processing_error",
    "4000000000000341": "card_declined/generic_decline",
    "4000002500003155": "requires_action",
    "4000002760003184": "requires_action",
    "4000000000003220": "requires_action",
    "4000000000003055": "succeeded",
    "4000008400001629": "requires_action",
    "4000008260003178": "requires_action",
    "4100000000000019": "card_declined/fraudulent",
    "4000000000004954": "card_declined/fraudulent",
    "4000000000009235": "succeeded",
    "4000000000000259": "succeeded",
    "4000000000002685": "succeeded",
    "4000000000001976": "succeeded",
    "4000000404000079": "succeeded",
    "4000000000005423": "succeeded",
    "4000000000007726": "succeeded",
    "4000000000005126": "succeeded",
    "4000000000000077": "succeeded",
    "4000000000000101": "succeeded",
}


async def outcome(stand_in: StandIn, method: str) -> str:
    try:
        return str((await paid(stand_in, method)).status)
    except stripe.CardError as error:
        return f"{error.code}/{error.error.decline_code if error.error else None}"


def test_every_card_is_checked() -> None:
    assert {card.number for card in CARDS} == set(EXPECTED)


@pytest.mark.assumes("A-18", "A-35")
@pytest.mark.parametrize("name", [name for card in CARDS for name in card.names])
async def test_a_card_by_name(stand_in: StandIn, name: str) -> None:
    (card,) = [card for card in CARDS if name in card.names]
    assert await outcome(stand_in, f"pm_card_{name}") == EXPECTED[card.number]
    if "Declined" in name or "Fail" in name:
        assert await outcome(stand_in, f"pm_card_visa_{name}") == EXPECTED[card.number]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.number)
async def test_a_card_by_number(stand_in: StandIn, card: Card) -> None:
    details = {"number": card.number, "exp_month": 12, "exp_year": 2040, "cvc": "123"}
    method = await stand_in.client.v1.payment_methods.create_async({"type": "card", "card": details})
    assert method.card is not None
    assert (method.card.last4, method.card.brand) == (card.number[-4:], card.brand)
    assert await outcome(stand_in, method.id) == EXPECTED[card.number]


async def test_a_number_that_is_no_test_card_is_declined(stand_in: StandIn) -> None:
    details = {"number": "4539578763621486", "exp_month": 12, "exp_year": 2040}
    error = await refused(stand_in.client.v1.payment_methods.create_async({"type": "card", "card": details}))
    assert isinstance(error, stripe.CardError)
    assert error.error is not None
    assert error.error.decline_code == "test_mode_live_card"


async def test_an_unknown_name_is_no_payment_method(stand_in: StandIn) -> None:
    calling = stand_in.client.v1.payment_intents.create_async(purchase("pm_card_nonsense"))
    assert (await refused(calling)).code == "resource_missing"


@pytest.mark.assumes("A-40")
async def test_0341_is_saved_and_declines_later(stand_in: StandIn) -> None:
    v1 = stand_in.client.v1
    customer = await v1.customers.create_async({})
    saved = await v1.payment_methods.attach_async("pm_card_chargeCustomerFail", {"customer": customer.id})
    assert saved.customer == customer.id
    error = await refused(v1.payment_intents.create_async(purchase(saved.id, customer=customer.id)))
    assert isinstance(error, stripe.CardError)


@pytest.mark.assumes("A-40")
async def test_a_declining_card_is_not_saved(stand_in: StandIn) -> None:
    v1 = stand_in.client.v1
    customer = await v1.customers.create_async({})
    calling = v1.payment_methods.attach_async("pm_card_visa_chargeDeclined", {"customer": customer.id})
    assert (await refused(calling)).code == "card_declined"
