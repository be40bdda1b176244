"""The shop window and the basket."""

from playwright.async_api import expect

from tests.browser.window import TIE, Window

BELT = "LEATHER-BELT-BLAC-32"


async def test_quantities_change_and_lines_go(window: Window):
    await window.go()
    await window.put_into_basket("Silk tie", colour="Navy")
    await window.put_into_basket("Leather belt", colour="Black", size="32")
    await window.button("Basket, 2 pieces").click()
    await window.drawer.get_by_label("Pieces of Silk tie").select_option("3")
    await expect(window.drawer.locator(".total")).to_contain_text("$254.00")
    await window.drawer.get_by_role("button", name="Remove Leather belt").click()
    await expect(window.drawer.locator(".total")).to_contain_text("$195.00")
    await expect(window.page.get_by_role("status")).to_have_text("Leather belt is out of your basket.")
    await expect(window.drawer.get_by_role("heading")).to_be_focused()
    await window.drawer.get_by_role("button", name="Remove Silk tie").click()
    await expect(window.drawer).to_contain_text("There is nothing in it yet.")
    await window.button("Look around").click()
    await expect(window.button("Basket, 0 pieces")).to_be_focused()


async def test_a_size_has_to_be_chosen_and_one_that_is_sold_out_can_not_be(open_window, backstage):
    await backstage.put_on_shelf("POCKET-SQUARE-IVOR-ONE", 0)
    await backstage.put_on_shelf("POCKET-SQUARE-NAVY-ONE", 10)
    await backstage.put_on_shelf("CHINO-KHAK-30", 0)
    window = await open_window("phone")
    await window.go()
    await window.page.get_by_role("button", name="Cotton chino").click()
    await window.drawer.get_by_role("button", name="Add to basket").click()
    await expect(window.drawer.get_by_role("status")).to_have_text("Please choose a size first.")
    await window.choose("30")
    await expect(window.drawer.get_by_role("status")).to_have_text("Sold out in this size and colour.")
    await expect(window.drawer.get_by_role("button", name="Add to basket")).to_be_disabled()
    await window.choose("Navy")
    await window.choose("30")
    await expect(window.drawer.get_by_role("status")).to_have_text("In stock.")
    await window.button("Close").click()
    await window.page.get_by_role("button", name="Pocket square").click()
    await expect(window.drawer.get_by_label("Navy")).to_be_checked()  # the colour that there is


async def test_another_tab_sees_the_basket_and_prices_come_in_the_chosen_currency(open_window):
    window = await open_window("desktop")
    await window.go()
    other = await window.page.context.new_page()
    window.watch(other)
    await other.goto(window.page.url)
    await window.put_into_basket("Silk tie", colour="Navy")
    await expect(other.get_by_role("button", name="Basket, 1 piece")).to_be_visible()
    await window.page.get_by_label("Currency").select_option("eur")
    await expect(window.page.locator(".card", has_text="Silk tie")).to_contain_text("€60.00")
    await window.button("Basket, 1 piece").click()
    await expect(window.drawer.locator(".total")).to_contain_text("€60.00")


async def test_going_back_from_the_till_shows_the_basket_as_it_is_now(open_window):
    window = await open_window("phone")
    await window.go()
    await window.put_into_basket("Silk tie", colour="Navy")
    await window.button("Basket, 1 piece").click()
    await window.drawer.get_by_role("link", name="Check out").click()
    await window.give_address()
    await window.sees_card_form()
    await window.pay()
    await window.sees_thanks()
    await window.page.evaluate("history.go(-2)")
    await expect(window.button("Basket, 0 pieces")).to_be_visible()


async def test_what_is_gone_between_basket_and_order_is_named_and_the_rest_can_be_ordered(window: Window, backstage):
    window.may_fail = {409}
    await backstage.put_on_shelf(BELT, 3)
    await window.with_basket((TIE, 1), (BELT, 3))
    await window.fill_address()
    await backstage.put_on_shelf(BELT, 2)
    await window.button("Continue to payment").click()
    await expect(window.problem.first).to_contain_text(
        "not enough left of Leather belt (Black, 32). Nothing was ordered."
    )
    await expect(window.problem.first).to_be_focused()
    await window.link("Change the basket").click()
    await expect(window.drawer.locator(".row", has_text="Leather belt")).to_contain_text("Only 2 left")
    await window.drawer.get_by_label("Pieces of Leather belt").select_option("2")
    await window.drawer.get_by_role("link", name="Check out").click()
    await expect(window.page.get_by_label("Full name")).to_have_value("Ada Lovelace")  # typed once
    await window.button("Continue to payment").click()
    await window.sees_card_form()
    await window.pay()
    await window.sees_thanks()
