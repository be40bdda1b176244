"""An order by its link: live, after reloads, in a mail, and to nobody without the link."""

from urllib.parse import urlsplit

from playwright.async_api import expect

from tests.browser.window import CHALLENGED, TIE, Window

BELT = "LEATHER-BELT-BLAC-36"


async def test_the_page_changes_by_itself_when_the_payment_is_settled(window: Window, backstage):
    """Stripe's events come late: meanwhile the page says that it is confirming; then it thanks, without a reload."""
    await backstage.events_are_held()
    await window.order()
    await window.pay()
    await window.sees_state("confirming", "We are confirming your payment")
    await window.page.evaluate("window.isTheSamePage = true")
    await backstage.events_come()
    await window.sees_thanks()
    assert await window.page.evaluate("window.isTheSamePage")
    assert sum("/events" in each for each in window.asked) == 1  # told over one stream, not asked for


async def test_reloading_while_waiting_goes_on_waiting(open_window, backstage):
    await backstage.events_are_held()
    window = await open_window("phone")
    await window.order()
    await window.pay()
    await window.sees_state("confirming", "We are confirming your payment")
    await window.page.reload()
    await window.sees_state("confirming", "We are confirming your payment")
    await backstage.events_come()
    await window.sees_thanks()


async def test_going_back_to_the_till_after_paying_leads_to_the_paid_order(phone: Window, backstage):
    """No event has come, and the till must not offer the same basket again. What else is in it stays."""
    await backstage.events_are_held()
    await phone.order((TIE, 1), (BELT, 1))
    await phone.pay()
    await phone.sees_state("confirming", "We are confirming your payment")
    await phone.put_as_well("POCKET-SQUARE-NAVY-ONE")
    await phone.go_back()
    await phone.sees_thanks()
    await phone.go()
    await expect(phone.button("Basket, 1 piece")).to_be_visible()
    assert await backstage.orders_and_intents(phone.email) == (1, 1)


async def test_a_payment_that_nobody_confirms_is_asked_after_and_never_asked_for_again(phone: Window, backstage):
    phone.may_lose = True
    await backstage.events_are_held()
    await phone.page.clock.install()
    await phone.order()
    await phone.pay()
    await phone.sees_state("confirming", "We are confirming your payment")
    await phone.page.route("**/v1/orders", lambda route: route.abort())
    await phone.passes(150, until=phone.page.get_by_role("heading", name="Your payment takes longer than usual"))
    await phone.is_accessible("late")
    await expect(phone.link("Pay now")).to_have_count(0)
    await phone.page.unroute("**/v1/orders")
    await phone.page.reload()
    await phone.sees_thanks()  # by asking Stripe: its events are still held


async def test_one_whom_the_bank_sends_back_to_another_window_is_told_where_to_look(phone: Window, open_window):
    await phone.order()
    await phone.pay(CHALLENGED)
    await expect(phone.page.get_by_role("heading", name="Your bank asks")).to_be_visible()
    other = await open_window("phone")
    await other.page.goto(phone.page.url)
    await other.answer_bank("Yes, pay")
    await other.sees_state("elsewhere", "You are back from your bank")
    assert "secret" not in other.page.url
    await other.is_accessible("back from the bank elsewhere")
    await phone.go_back()
    await phone.sees_thanks()


async def test_two_tabs_of_one_order_change_together(open_window):
    """One waits at the link while the other pays."""
    window = await open_window("desktop")
    await window.order()
    link = await window.order_link()
    await window.pay(CHALLENGED)
    await expect(window.page.get_by_role("heading", name="Your bank asks")).to_be_visible()
    visitor = await open_window("phone")
    await visitor.page.goto(link)
    await visitor.sees_state("awaiting", "Waiting for your payment")
    await expect(visitor.page.locator("#state")).to_contain_text("go back to the window in which you placed the order")
    await window.answer_bank("Yes, pay")
    await window.sees_thanks()
    await visitor.sees_thanks()


async def test_the_link_in_the_mail_shows_the_order_without_a_script(open_window, backstage):
    window = await open_window("phone")
    await window.order()
    await window.pay()
    await window.sees_thanks()
    (mail,) = await backstage.watcher.until_mailed(window.email)
    reader = await open_window("phone", java_script_enabled=False)
    await reader.page.goto(f"{reader.addresses.mail_url}/messages/{mail['id']}")
    link = reader.page.locator(f"main a[href^='{reader.addresses.checkout_url}/orders/']").first
    await reader.page.goto(await link.get_attribute("href") or "")
    await expect(reader.page.get_by_role("heading", level=1)).to_have_text("Paid")
    await expect(reader.page.get_by_role("table")).to_contain_text("Silk tie")


async def test_the_link_of_the_page_opens_it_again_elsewhere(open_window):
    window = await open_window("desktop")
    await window.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await window.order()
    await window.pay()
    await window.sees_thanks()
    await window.button("Copy the link to this order").click()
    await expect(window.button("Copied")).to_be_focused()
    link = await window.page.evaluate("navigator.clipboard.readText()")
    assert urlsplit(link).fragment  # the token, where no server sees it
    elsewhere = await open_window("phone")
    await elsewhere.page.goto(link)
    await elsewhere.sees_thanks()


async def test_a_link_that_is_cut_off_or_wrong_shows_nothing(open_window):
    window = await open_window("phone")
    await window.order()
    link = await window.order_link()
    stranger = await open_window("phone")
    stranger.may_fail = {403}
    for wrong in (link.partition("#")[0], link[:-4], f"{link.partition('#')[0]}#%"):
        await stranger.page.goto("about:blank")
        await stranger.page.goto(wrong)
        await stranger.sees_state("refused", "We can't show this order")
        await expect(stranger.page.get_by_role("heading", level=1)).to_be_focused()


async def test_an_order_that_was_not_paid_in_time_leads_back_to_the_shop(window: Window, backstage):
    await window.order()
    link = await window.order_link()
    await backstage.let_expire(window.email)
    await window.page.goto(link)
    await window.sees_state("expired", "The reservation has ended")
    await window.link("Back to the shop").click()
    await expect(window.button("Basket, 1 piece")).to_be_visible()
    await window.go("/checkout")
    await expect(window.button("Continue to payment")).to_be_visible()  # a new order


async def test_paying_when_the_time_is_over_takes_no_money(open_window, backstage):
    window = await open_window("phone")
    window.may_fail = {400}
    await window.order()
    await backstage.let_expire(window.email)
    await window.pay()
    await window.sees_state("expired", "The reservation has ended")
