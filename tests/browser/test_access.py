"""Everything a person sees, on a phone and on a desktop: axe finds nothing, light or dark, and text can grow."""

from playwright.async_api import expect

from tests.browser.window import CHALLENGED, TIE, Window


async def test_the_shop_window(window: Window, backstage):
    await backstage.put_on_shelf("POCKET-SQUARE-IVOR-ONE", 0)
    await backstage.put_on_shelf("POCKET-SQUARE-NAVY-ONE", 0)
    await backstage.put_on_shelf("CHINO-KHAK-32", 2)
    await backstage.put_on_shelf("CHINO-KHAK-34", 0)
    await window.go()
    await expect(window.page.get_by_role("heading", name="Accessories")).to_be_visible()
    await window.is_accessible("shop")
    await window.page.get_by_role("button", name="Cotton chino").click()
    await window.choose("32")
    await window.is_accessible("product drawer")
    await window.button("Add to basket").click()
    await window.button("Basket, 1 piece").click()
    await window.is_accessible("basket drawer")
    await window.button("Remove Cotton chino").click()
    await window.is_accessible("empty basket drawer")


async def test_the_till(window: Window, backstage):
    window.may_fail = {402, 409, 422}
    await backstage.put_on_shelf("LEATHER-BELT-BLAC-34", 2)
    await window.go("/checkout")
    await expect(window.page.get_by_role("heading", name="Your basket is empty")).to_be_visible()
    await window.is_accessible("till without a basket")
    await window.with_basket((TIE, 1), ("LEATHER-BELT-BLAC-34", 2))
    await window.is_accessible("address")
    await window.button("Continue to payment").click()
    await expect(window.page.get_by_text("Please have another look")).to_be_visible()
    await window.is_accessible("address with errors")
    await window.fill_address()
    await backstage.put_on_shelf("LEATHER-BELT-BLAC-34", 1)
    await window.button("Continue to payment").click()
    await expect(window.page.get_by_text("Somebody was quicker")).to_be_visible()
    await window.is_accessible("out of stock")
    await backstage.put_on_shelf("LEATHER-BELT-BLAC-34", 2)
    await window.button("Continue to payment").click()
    await window.sees_card_form()
    await window.is_accessible("card")
    await window.pay_button.click()
    await expect(window.page.get_by_text("Enter the whole card number.")).to_be_visible()
    await window.page.get_by_text("Test cards", exact=True).click()
    await window.is_accessible("card with errors and hints")
    await window.pay("4000 0000 0000 0002")
    await expect(window.problem).to_be_visible()
    await window.is_accessible("declined")


async def test_an_order_that_is_paid_after_a_failure(window: Window, backstage):
    await window.order()
    await window.pay(CHALLENGED)
    await expect(window.page.get_by_role("heading", name="Your bank asks")).to_be_visible()
    await window.is_accessible("bank")
    await window.answer_bank("No")
    await window.sees_state("failed", "The payment was not completed")
    await window.is_accessible("failed")
    await backstage.events_are_held()
    await window.link("Pay with another card").click()
    await window.pay()
    await window.sees_state("confirming", "We are confirming your payment")
    await window.is_accessible("confirming")
    await backstage.events_come()
    await window.sees_thanks()
    await window.is_accessible("paid")
    link = window.page.url
    await window.page.goto(await backstage.link_in_mail(window.email))
    await expect(window.page.get_by_role("heading", level=1)).to_have_text("Paid")
    await window.is_accessible("checkout's page paid")
    await backstage.send(window.email)
    await window.page.reload()
    await expect(window.page.get_by_role("heading", level=1)).to_have_text("On its way")
    await expect(window.link("1Z999AA10123456784")).to_be_visible()
    await window.is_accessible("checkout's page shipped")
    await window.page.goto(link)
    await window.sees_state("shipped", "On its way")
    await expect(window.link("1Z999AA10123456784")).to_be_visible()
    await window.is_accessible("shipped")


async def test_an_order_that_is_not_paid(window: Window, backstage):
    window.may_fail = {403, 404}
    await window.order()
    await window.page.goto(await window.order_link())
    await window.sees_state("awaiting", "Waiting for your payment")
    await window.is_accessible("awaiting")
    await backstage.bank_is_working(window.email)
    await window.sees_state("processing", "Your payment is on its way")
    await window.is_accessible("processing")
    await backstage.hold(window.email)
    await window.sees_state("held", "We are checking your payment")
    await window.is_accessible("held")
    await window.page.goto(f"{window.addresses.checkout_url}/orders/01a210b3-ef25-7796-8eb3-6dc667a4187c?token=wrong")
    await window.is_accessible("checkout's page for a wrong link")
    await window.go("/order")
    await window.sees_state("refused", "We can't show this order")
    await window.is_accessible("refused")


async def test_an_order_whose_time_is_over(window: Window, backstage):
    await window.order()
    await window.page.goto(await window.order_link())
    await backstage.let_expire(window.email)
    await window.sees_state("expired", "The reservation has ended")
    await window.is_accessible("expired")


async def test_the_reference_of_the_interface(window: Window):
    for name, url in (("checkout", window.addresses.checkout_url), ("webhooks", window.addresses.webhooks_url)):
        await window.page.goto(f"{url}/reference")
        await window.is_accessible(f"{name}'s reference")


async def test_the_pages_of_those_who_run_it(window: Window, backstage):
    await backstage.watcher.control("POST", "reset", {})  # axe looks at every row of every table
    await window.order()
    await window.pay("4000 0000 0000 0002")
    await expect(window.problem).to_be_visible()
    await window.pay()
    await window.sees_thanks()
    (mail, *_) = await backstage.watcher.until_mailed(window.email)
    page, addresses = window.page, window.addresses
    for name, address, link in (
        ("monitor", addresses.dashboard_url, None),
        ("stand-in for Stripe", addresses.stripe_url, "a[href^='/payments/']"),
        ("stand-in for mail", addresses.mail_url, f"a[href='/messages/{mail['id']}']"),
        ("stand-in for Slack", addresses.slack_url, None),
    ):
        await page.goto(address)
        await window.is_accessible(name)
        if link:
            await page.locator(link).first.click()
            await window.is_accessible(f"{name}, one")
