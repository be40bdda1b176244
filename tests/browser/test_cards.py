"""What each test card leads to: what the customer is told, and the way to pay after all."""

import pytest
from playwright.async_api import expect

from tests.browser.window import Window

OTHER_CARD = "Nothing was charged. Please use another card."
NEUTRAL = "Your bank did not approve this payment. Nothing was charged. Please use another card, or ask your bank."
TECHNICAL = "Something went wrong between us and your bank. Nothing was charged. Please try again in a moment."

DECLINED = {
    "generic": ("4000 0000 0000 0002", NEUTRAL),
    "insufficient funds": (
        "4000 0000 0000 9995",
        f"There is not enough money on this card for the order. {OTHER_CARD}",
    ),
    "lost": ("4000 0000 0000 9987", NEUTRAL),
    "stolen": ("4000 0000 0000 9979", NEUTRAL),
    "limit reached": ("4000 0000 0000 6975", f"This card has reached its limit for now. {OTHER_CARD}"),
    "expired": ("4000 0000 0000 0069", f"This card has expired. {OTHER_CARD}"),
    "wrong security code": (
        "4000 0000 0000 0127",
        "The security code does not match this card. Nothing was charged. Please check it and try again.",
    ),
    "processing error": ("4000 0000 0000 0119", TECHNICAL),
    "attaches, then declines": ("4000 0000 0000 0341", NEUTRAL),
    "blocked by Radar": ("4100 0000 0000 0019", NEUTRAL),
    "highest risk": ("4000 0000 0000 4954", NEUTRAL),
    "not a card number": ("4242 4242 4242 4241", "This card number is not right. Please check it and try again."),
}
TAKEN = {
    "Visa": "4242 4242 4242 4242",
    "American Express": "3782 8224 6310 005",
    "elevated risk": "4000 0000 0000 9235",
    "3-D Secure supported, not asked": "4000 0000 0000 3055",
}


async def test_a_purchase_from_the_shop_window_to_the_thanks(window: Window, backstage):
    await window.go()
    await window.put_into_basket("Oxford shirt", colour="Sky blue", size="M")
    await expect(window.button("Basket, 1 piece")).to_be_visible()
    await window.put_into_basket("Silk tie", colour="Burgundy")
    await window.button("Basket, 2 pieces").click()
    await expect(window.drawer.locator(".total")).to_contain_text("$144.00")
    await window.drawer.get_by_role("link", name="Check out").click()
    await window.give_address()
    await window.sees_card_form()
    await window.pay()
    await window.sees_thanks()
    await expect(window.page.locator("#lines")).to_contain_text("Oxford shirt")
    (mail,) = await backstage.watcher.until_mailed(window.email)
    assert "order" in mail["subject"].lower()
    assert await backstage.orders_and_intents(window.email) == (1, 1)
    await window.go()
    await expect(window.button("Basket, 0 pieces")).to_be_visible()


@pytest.mark.parametrize("card", TAKEN.values(), ids=TAKEN)
async def test_a_card_is_taken(open_window, card):
    window = await open_window("phone")
    await window.order()
    await window.pay(card)
    await window.sees_thanks()


async def test_every_refusal_is_told_in_its_words_and_the_next_card_pays_the_same_order(window: Window, backstage):
    await window.order()
    for kind, (number, words) in DECLINED.items():
        await window.pay(number)
        await expect(window.problem, kind).to_have_text(words)
        await expect(window.problem, kind).to_be_focused()
        await expect(window.pay_button, kind).to_be_enabled()
    await window.pay()
    await window.sees_thanks()
    assert await backstage.orders_and_intents(window.email) == (1, 1)
