"""Without a mouse, and without JavaScript."""

from playwright.async_api import expect

from tests.browser.window import ADDRESS, VISA, Window

MOST_STEPS = 60


async def tab_to(window: Window, name: str) -> None:
    """Press Tab until the focus is on what is called so; it must be seen to be there."""
    for _ in range(MOST_STEPS):
        await window.page.keyboard.press("Tab")
        found = await window.page.evaluate(
            """() => {
                const each = document.activeElement;
                const named = each.ariaLabel || each.labels?.[0]?.textContent || each.textContent;
                const box = each.closest(".option") ?? each;
                const ring = getComputedStyle(each.closest(".option")?.querySelector("span") ?? each).outlineStyle;
                return [named, ring, box.getBoundingClientRect().height];
            }"""
        )
        if found[0].startswith(name):
            assert found[1] != "none", f"nobody sees that the focus is on {name}"
            return
    raise AssertionError(f"the focus never came to {name}")


async def test_a_purchase_with_the_keyboard_alone(open_window):
    window = await open_window("desktop")
    keyboard = window.page.keyboard
    await window.go()
    await expect(window.page.get_by_role("button", name="Silk tie")).to_be_visible()
    await keyboard.press("Tab")
    await expect(window.link("Skip to the products")).to_be_focused()
    await keyboard.press("Enter")
    await tab_to(window, "Cotton chino")
    await keyboard.press("Enter")
    await expect(window.drawer.get_by_role("heading", name="Cotton chino")).to_be_focused()
    await keyboard.press("Escape")
    await expect(window.page.get_by_role("button", name="Cotton chino")).to_be_focused()
    await keyboard.press("Enter")
    await tab_to(window, "Khaki")
    await keyboard.press("ArrowRight")
    await expect(window.drawer.get_by_label("Navy")).to_be_checked()
    await keyboard.press("Tab")
    await keyboard.press("Space")
    await expect(window.drawer.get_by_label("30")).to_be_checked()
    await keyboard.press("Tab")
    await keyboard.press("Enter")
    await expect(window.page.locator("#said")).to_have_text("Cotton chino, Navy, 30, is in your basket.")
    await window.page.get_by_role("link", name="KCT").focus()
    await tab_to(window, "Basket, 1 piece")
    await keyboard.press("Enter")
    await tab_to(window, "Check out")
    await keyboard.press("Enter")

    await expect(window.page.get_by_label("Email")).to_be_visible()
    await tab_to(window, "Email")
    await keyboard.type(window.email)
    for label, value in ADDRESS.items():
        await tab_to(window, label)
        await keyboard.type(value)
    await tab_to(window, "Country")
    await keyboard.type("United Kingdom")
    await keyboard.press("Enter")
    await tab_to(window, "Continue to payment")
    await keyboard.press("Enter")

    await expect(window.page.get_by_role("heading", name="How would you like to pay?")).to_be_focused(timeout=45_000)
    for label, value in (("Card number", VISA), ("Expiry date", "1230"), ("Security code", "123")):
        await tab_to(window, label)
        await keyboard.type(value.replace(" ", ""))
    await expect(window.page.get_by_label("Card number")).to_have_value(VISA)
    await expect(window.page.get_by_label("Expiry date")).to_have_value("12 / 30")
    await keyboard.press("Enter")
    await window.sees_thanks()


async def test_without_javascript_the_shop_says_what_it_needs(open_window):
    window = await open_window("phone", java_script_enabled=False)
    for path in ("/", "/checkout", "/order"):
        await window.go(path)
        await expect(window.page.locator("noscript p")).to_be_visible()
        await expect(window.page.locator("noscript p")).to_contain_text("needs JavaScript")
        await expect(window.page.get_by_text("One moment")).to_be_hidden()  # nothing would ever come
