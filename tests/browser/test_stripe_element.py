"""With Stripe's own address the shop uses Stripe.js and the Payment Element; the card never meets a page of ours.

Stripe.js can only come from Stripe, so a tiny stand-in is put in its place (`stripe.js`), and what it asks Stripe's API
goes to the stand-in for Stripe. The page's own policy of what it may load is in force all the same.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Route, expect

from deploy.demo.storefront.server import STRIPE_ITSELF
from tests.browser.window import Window

SCRIPT = "https://js.stripe.com/v3/"
STRIPE_JS = Path(__file__).with_name("stripe.js")
ELEMENT = "Stripe's payment element"


@pytest.fixture
async def window(open_window, second_shop, stage) -> AsyncIterator[Window]:
    """At a shop that takes Stripe for Stripe; what goes there is answered on this machine."""
    window: Window = await open_window("phone")
    window.addresses = await second_shop(stripe_url=STRIPE_ITSELF)

    async def api(route: Route) -> None:
        answer = await route.fetch(url=route.request.url.replace(STRIPE_ITSELF, stage.addresses.stripe_url))
        await route.fulfill(response=answer)

    await window.page.route(f"{STRIPE_ITSELF}/**", api)
    await window.page.route(SCRIPT, lambda route: route.fulfill(path=STRIPE_JS, content_type="text/javascript"))
    yield window
    assert {each for each in window.foreign() if "api.stripe.com" not in each} == {f"GET {SCRIPT}"}
    window.asked.clear()


async def test_a_purchase_with_stripes_own_card_form(window: Window, backstage):
    await window.with_basket()
    await window.give_address()
    element = window.page.get_by_label(ELEMENT)
    await expect(element).to_be_visible(timeout=45_000)
    await expect(window.page.get_by_label("Card number")).to_have_count(0)
    await window.pay_button.click()  # the element says itself what is missing
    await expect(window.pay_button).to_be_enabled()
    await expect(window.problem).to_be_hidden()

    await element.fill("closed")
    await window.pay_button.click()
    await expect(window.pay_button).not_to_have_attribute("aria-disabled", "true")

    await element.fill("pm_card_chargeDeclinedInsufficientFunds")
    await window.pay_button.click()
    await expect(window.problem).to_contain_text("There is not enough money on this card")

    await element.fill("pm_card_threeDSecure2Required")
    await window.pay_button.click()
    await window.answer_bank("No")
    await window.sees_state("failed", "The payment was not completed")
    await expect(window.page.locator("#state")).to_contain_text("Your bank could not confirm that it was you.")
    await window.link("Pay with another card").click()

    await element.fill("pm_card_visa")
    await window.pay_button.click()
    await window.sees_thanks()
    assert await backstage.orders_and_intents(window.email) == (1, 1)


async def test_a_payment_whose_answer_got_lost_is_not_asked_for_again(window: Window, backstage, stage):
    async def lose(route: Route) -> None:
        await route.fetch(url=route.request.url.replace(STRIPE_ITSELF, stage.addresses.stripe_url))
        await route.abort("connectionreset")

    window.may_lose = True
    await backstage.events_are_held()
    await window.with_basket()
    await window.give_address()
    await window.page.get_by_label(ELEMENT).fill("pm_card_visa")
    await window.page.route(f"{STRIPE_ITSELF}/**/confirm", lose)
    await window.pay_button.click()
    await window.sees_state("confirming", "We are confirming your payment")
    await backstage.events_come()
    await window.sees_thanks()


async def test_stripe_js_that_does_not_load_is_said_and_can_be_tried_again(window: Window):
    window.may_lose = True
    await window.page.route(SCRIPT, lambda route: route.abort(), times=1)
    await window.with_basket()
    await window.give_address()
    await expect(window.problem.get_by_text("The payment form did not load.")).to_be_visible()
    await window.button("Try again").click()
    await expect(window.page.get_by_label(ELEMENT)).to_be_visible()
    await window.is_accessible("Payment Element")
