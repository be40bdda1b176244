"""3-D Secure: the customer goes to the bank's page and comes back, or doesn't."""

from playwright.async_api import expect

from tests.browser.window import CHALLENGED, Window

NOT_CONFIRMED = (
    "Your bank could not confirm that it was you. Nothing was charged. Please try again, or use another card."
)


async def test_a_confirmed_payment_comes_back_to_the_thanks_without_its_secret_in_the_address(window: Window):
    await window.order()
    await window.pay(CHALLENGED)
    await window.answer_bank("Yes, pay")
    await window.sees_thanks()
    assert "secret" not in window.page.url


async def test_a_failed_one_is_told_and_another_card_pays_the_same_order(window: Window, backstage):
    await window.order()
    await window.pay(CHALLENGED)
    await window.answer_bank("No")
    await window.sees_state("failed", "The payment was not completed")
    await expect(window.page.locator("#state")).to_contain_text(NOT_CONFIRMED)
    await window.link("Pay with another card").click()
    await window.sees_card_form()
    await window.pay()
    await window.sees_thanks()
    assert await backstage.orders_and_intents(window.email) == (1, 1)


async def test_a_confirmed_one_that_is_declined_then_is_told_and_paid_with_another_card(window: Window):
    await window.order()
    await window.pay("4000 0084 0000 1629")
    await window.answer_bank("Yes, pay")
    await window.sees_state("failed", "The payment was not completed")
    await expect(window.page.locator("#state")).to_contain_text("Your bank did not approve this payment.")
    await window.link("Pay with another card").click()
    await window.sees_card_form()
    await window.pay()
    await window.sees_thanks()


async def test_going_back_from_the_bank_leads_to_a_card_form_that_takes_another_card(window: Window, backstage):
    await window.order()
    await window.pay(CHALLENGED)
    await expect(window.page.get_by_role("heading", name="Your bank asks")).to_be_visible()
    await window.go_back()
    await window.sees_card_form()
    await window.pay()
    await window.sees_thanks()
    assert await backstage.orders_and_intents(window.email) == (1, 1)


async def test_one_who_left_at_the_bank_finds_the_order_open_at_the_till(window: Window):
    await window.order()
    await window.pay(CHALLENGED)
    await expect(window.page.get_by_role("heading", name="Your bank asks")).to_be_visible()
    await window.go("/checkout")
    await window.sees_card_form()
    await window.pay(CHALLENGED)
    await window.answer_bank("Yes, pay")
    await window.sees_thanks()
