"""One order, whatever happens to the page, the line or the shop while it is placed: the key is in the page."""

from playwright.async_api import Route, expect

from tests.browser.window import Window

ORDERS = "**/v1/orders"


async def test_a_double_click_places_one_order_and_pays_once(phone: Window, backstage):
    await phone.with_basket()
    await phone.fill_address()
    await phone.button("Continue to payment").dblclick()
    await phone.sees_card_form()
    await phone.fill_card()
    await phone.pay_button.dblclick()
    await phone.sees_thanks()
    assert await backstage.orders_and_intents(phone.email) == (1, 1)


async def test_while_stripe_fails_the_page_tries_again_with_the_same_key(phone: Window, backstage):
    phone.may_fail = {503}
    # Longer than checkout's own tries: the page hears 503 and says so.
    await backstage.stripe_will(kind="rate_limit", method="POST", path="/v1/payment_intents")
    await phone.listens()
    await phone.with_basket()
    await phone.give_address()
    await phone.sees_card_form()
    assert "The shop is busy. We keep trying; please stay on this page." in await phone.heard()
    assert await backstage.orders_and_intents(phone.email) == (1, 1)


async def test_an_answer_that_got_lost_is_asked_for_again(phone: Window, backstage):
    phone.may_lose = True
    lost = await lose_first_answer(phone, ORDERS)
    await phone.with_basket()
    await phone.give_address()
    await phone.sees_card_form()
    assert lost == [201]
    assert await backstage.orders_and_intents(phone.email) == (1, 1)


async def test_a_line_that_stays_dead_is_said_and_the_same_button_goes_on(open_window, backstage):
    window = await open_window("phone")
    window.may_lose = True
    await window.page.clock.install()
    await window.with_basket()
    await window.fill_address()
    await window.page.context.set_offline(True)
    await window.button("Continue to payment").click()
    await window.passes(60, until=window.problem.get_by_text("We could not reach the shop."))
    await expect(window.page.get_by_label("Full name")).to_have_value("Ada Lovelace")
    await window.page.context.set_offline(False)
    await window.button("Continue to payment").click()
    await window.sees_card_form()
    assert await backstage.orders_and_intents(window.email) == (1, 1)


async def test_a_reload_finds_the_order_again_and_the_card_form_of_it(phone: Window, backstage):
    await phone.order()
    await phone.page.reload()
    await phone.sees_card_form()
    await phone.pay("4000 0000 0000 0002")
    await expect(phone.problem).to_be_visible()
    await phone.page.reload()
    await phone.sees_card_form()
    await phone.pay()
    await phone.sees_thanks()
    assert await backstage.orders_and_intents(phone.email) == (1, 1)


async def test_a_reload_while_the_order_is_placed_does_not_place_another(open_window, backstage):
    window = await open_window("desktop")
    window.may_lose, window.may_fail = True, {409}  # if the first is still under way; the page then asks again
    await backstage.stripe_will(kind="latency", method="POST", path="/v1/payment_intents", delay_s=2.5)
    await window.with_basket()
    async with window.page.expect_request(ORDERS):
        await window.give_address()
    await backstage.until_begun(window.email)
    await window.page.reload()
    await window.button("Continue to payment").click()
    await window.sees_card_form()
    assert await backstage.orders_and_intents(window.email) == (1, 1)


async def test_a_payment_whose_answer_got_lost_is_looked_up_instead_of_made_again(phone: Window, backstage):
    phone.may_lose = True
    await phone.order()
    lost = await lose_first_answer(phone, "**/confirm")
    await phone.pay()
    await phone.sees_thanks()
    assert lost == [200]
    assert await backstage.orders_and_intents(phone.email) == (1, 1)


async def test_two_tabs_pay_one_order_once(open_window, backstage):
    """The second tab is a copy of the first, as browsers make it: with what the first kept for itself."""
    window = await open_window("desktop")
    window.may_fail = {400, 402}
    await window.order()
    async with window.page.context.expect_page() as opening:
        await window.page.evaluate("window.open(location.href, '_blank', 'opener') && null")
    other = Window(await opening.value, window.addresses, window.email)
    await other.sees_card_form()
    await window.pay()
    await window.sees_thanks()
    other.may_fail = {400}
    await other.pay()
    await other.sees_thanks()
    assert other.faults == []
    assert await backstage.orders_and_intents(window.email) == (1, 1)


async def test_too_many_requests_are_waited_out(open_window, second_shop, backstage):
    """Another has used up what this address may ask of checkout; the page waits as long as it is told."""
    window = await open_window("phone")
    window.may_fail = {429}
    window.addresses = await second_shop(CHECKOUT_REQUEST_LIMIT_PER_MINUTE="20")
    await window.with_basket()
    await window.fill_address()
    while (await backstage.stage.http.get(f"{window.addresses.checkout_url}/v1/products")).status != 429:
        pass
    await window.button("Continue to payment").click()
    await window.sees_card_form()
    assert await backstage.orders_and_intents(window.email) == (1, 1)


async def test_a_shop_that_does_not_answer_says_so_and_opens_later(phone: Window):
    phone.may_lose = True
    phone.may_fail = {503}
    await phone.page.route("**/v1/products*", lambda route: route.abort())
    await phone.page.clock.install()
    await phone.go()
    await phone.passes(60, until=phone.problem.get_by_text("The shop does not answer at the moment."))
    await phone.page.unroute("**/v1/products*")
    await phone.button("Try again").click()
    await expect(phone.page.get_by_role("button", name="Silk tie")).to_be_visible()


async def lose_first_answer(window: Window, pattern: str) -> list[int]:
    """The request arrives and is carried out; its answer doesn't. What the answer's status was."""
    lost: list[int] = []

    async def lose(route: Route) -> None:
        answer = await route.fetch()
        lost.append(answer.status)
        await route.abort("connectionreset")

    await window.page.route(pattern, lose, times=1)
    return lost
