"""A browser window at the shop: what a customer does in it, and what it must never do by itself."""

import json
import os
import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import ConsoleMessage, Locator, Page, Request, expect

from deploy.demo.addresses import Addresses

TIE = "SILK-TIE-NAVY-ONE"
VISA = "4242 4242 4242 4242"
CHALLENGED = "4000 0000 0000 3220"

ADDRESS = {  # in the order of the form
    "Full name": "Ada Lovelace",
    "Street and number": "12 St James Square",
    "Postal code": "SW1Y 4JH",
    "Town or city": "London",
}
# A refusal is an answer: the browser writes a line about it, and the page deals with it.
REFUSAL = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")


@dataclass
class Window:
    page: Page
    addresses: Addresses
    email: str = field(default_factory=lambda: f"ada.{secrets.token_hex(4)}@shopper.example")
    may_fail: set[int] = field(default_factory=lambda: {402})  # a declined card is a 402 of Stripe's
    may_lose: bool = False  # whether the story cuts the line
    faults: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.watch(self.page)

    def watch(self, page: Page) -> None:
        page.on("request", self._on_request)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.faults.append(f"uncaught: {error}"))

    def _on_request(self, request: Request) -> None:
        self.asked.append(f"{request.method} {request.url}")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        refused = REFUSAL.match(message.text)
        if refused and int(refused[1]) in self.may_fail:
            return
        if self.may_lose and "net::ERR_" in message.text:
            return
        self.faults.append(f"{message.text} ({message.location.get('url')})")

    def foreign(self) -> list[str]:
        """What was asked of anybody who is not on this machine."""
        local = ("127.0.0.1", "")  # data: and blob: have no host
        return [each for each in self.asked if (urlsplit(each.split(" ", 1)[1]).hostname or "") not in local]

    # what people do

    async def go(self, path: str = "/") -> None:
        await self.page.goto(f"{self.addresses.storefront_url}{path}")

    async def put_into_basket(self, name: str = "Silk tie", **choices: str) -> None:
        """From the shop's first page, through the product's drawer."""
        await self.page.get_by_role("button", name=name, exact=True).click()
        for label in choices.values():
            await self.choose(label)
        await self.drawer.get_by_role("button", name="Add to basket").click()
        await expect(self.drawer).to_have_count(0)

    async def choose(self, option: str) -> None:
        """A size or a colour in the product's drawer."""
        await self.drawer.locator(".option", has_text=re.compile(rf"^{option}")).click()

    async def with_basket(self, *lines: tuple[str, int]) -> None:
        """At the till with these in the basket, as from an earlier visit."""
        basket = [{"sku": sku, "quantity": quantity} for sku, quantity in lines or [(TIE, 1)]]
        await self.page.context.add_init_script(
            f"""if (location.origin === "{self.addresses.storefront_url}" && !localStorage.getItem("kct.basket"))
                  localStorage.setItem("kct.basket", {json.dumps(json.dumps(basket))});"""
        )
        await self.go("/checkout")

    async def listens(self) -> None:
        """From the next page on, all that is said is kept: it may be over before anybody looks."""
        await self.page.context.add_init_script(
            """window.heard = [];
               addEventListener("DOMContentLoaded", () => {
                 const said = document.querySelector("#said");
                 const keep = () => window.heard.push(said.textContent);
                 if (said) new MutationObserver(keep).observe(said, { childList: true, subtree: true });
               });"""
        )

    async def heard(self) -> list[str]:
        found: list[str] = await self.page.evaluate("heard")
        return found

    async def put_as_well(self, sku: str) -> None:
        """One piece into the basket, as from another tab."""
        await self.page.evaluate(
            """(sku) => {
                const lines = JSON.parse(localStorage.getItem("kct.basket"));
                localStorage.setItem("kct.basket", JSON.stringify([...lines, { sku, quantity: 1 }]));
            }""",
            sku,
        )

    async def give_address(self) -> None:
        await self.fill_address()
        await self.button("Continue to payment").click()

    async def fill_address(self) -> None:
        await self.page.get_by_label("Email").fill(self.email)
        for label, value in ADDRESS.items():
            await self.page.get_by_label(label).fill(value)
        await self.page.get_by_label("Country").select_option("GB")

    async def order(self, *lines: tuple[str, int]) -> None:
        """With an order placed, at the card form."""
        await self.with_basket(*lines)
        await self.give_address()
        await self.sees_card_form()

    async def fill_card(self, number: str = VISA) -> None:
        year = datetime.now(UTC).year + 2
        await self.page.get_by_label("Card number").fill(number)
        await self.page.get_by_label("Expiry date").fill(f"12 / {year % 100}")
        await self.page.get_by_label("Security code").fill("123")

    async def pay(self, number: str = VISA) -> None:
        await self.fill_card(number)
        await self.pay_button.click()

    async def answer_bank(self, answer: str) -> None:
        await expect(self.page.get_by_role("heading", name="Your bank asks")).to_be_visible()
        await self.button(answer).click()

    async def go_back(self) -> None:
        """To the page as it was left, as browsers keep it, where they can."""
        await self.page.evaluate("setTimeout(() => history.back())")

    async def passes(self, seconds: int, until: Locator) -> None:
        """Time, on the page's clock (which has to be installed), until something is seen."""
        for _ in range(seconds):
            if await until.is_visible():
                return
            await self.page.clock.run_for(1000)
        await expect(until).to_be_visible()

    async def order_link(self) -> str:
        """The address of the page of the order that this tab placed last, with its token."""
        link: str = await self.page.evaluate(
            """() => {
                const id = JSON.parse(sessionStorage.getItem("kct.placing")).orderId;
                return `/order?id=${id}#${sessionStorage.getItem(`kct.token.${id}`)}`;
            }"""
        )
        return f"{self.addresses.storefront_url}{link}"

    # what people see

    @property
    def drawer(self) -> Locator:
        return self.page.get_by_role("dialog")

    @property
    def problem(self) -> Locator:
        return self.page.get_by_role("alert")

    @property
    def pay_button(self) -> Locator:
        return self.page.get_by_role("button", name=re.compile(r"^Pay \D?\d"))

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name)

    def link(self, name: str) -> Locator:
        return self.page.get_by_role("link", name=name)

    async def sees_card_form(self) -> None:
        await expect(self.page.get_by_label("Card number")).to_be_visible(timeout=45_000)

    async def sees_state(self, name: str, title: str) -> None:
        """On the order's page: its state for programs, and what it is called for people."""
        await expect(self.page.locator(f"#state[data-state={name}]")).to_be_visible(timeout=60_000)
        await expect(self.page.get_by_role("heading", level=1)).to_have_text(title)

    async def sees_thanks(self) -> None:
        await self.sees_state("paid", "Thank you")

    # what must hold on every page

    async def is_accessible(self, state: str) -> None:
        """axe's rules, best practices among them, light and dark; and nothing has to be scrolled sideways, also with
        text of twice the size."""
        await self.is_at_rest()
        await self._picture(state)
        await self._satisfies_axe(state, {"resultTypes": ["violations"]})
        if await self.page.locator("meta[name=color-scheme]").count():
            await self.page.emulate_media(color_scheme="dark")
            await self._satisfies_axe(f"{state}, dark", {"resultTypes": ["violations"], "runOnly": ["color-contrast"]})
            await self._picture(f"{state} dark")
            await self.page.emulate_media(color_scheme="light")
        for size in ("100%", "200%"):
            wide = await self.page.evaluate(
                """(size) => {
                    const root = document.documentElement;
                    root.style.fontSize = size;
                    const edge = root.clientWidth;
                    const wide = root.scrollWidth <= edge ? [] : [...document.body.querySelectorAll("*")]
                      .filter((each) => each.getBoundingClientRect().right > edge)
                      .map((each) => each.outerHTML.slice(0, 80));
                    root.style.fontSize = "";
                    return wide.slice(0, 5);
                }""",
                size,
            )
            assert wide == [], f"{state} at {size} is wider than the window: {wide}"

    async def _satisfies_axe(self, state: str, options: dict[str, list[str]]) -> None:
        is_there = await self.page.evaluate("'axe' in window")  # half a megabyte, so once a page
        results = await (Axe("0") if is_there else Axe()).run(self.page, options=options)
        found = [
            f"{each['id']}: {[node['target'] for node in each['nodes'][:4]]}" for each in results.response["violations"]
        ]
        assert found == [], f"{state}: {found}"

    async def _picture(self, state: str) -> None:
        """For whoever wants to look: SCREENSHOTS names a folder."""
        if folder := os.environ.get("SCREENSHOTS"):
            width = (self.page.viewport_size or {}).get("width")
            await self.page.screenshot(path=Path(folder) / f"{state} {width}.png", full_page="drawer" not in state)

    async def is_at_rest(self) -> None:
        """Animations that end have ended."""
        await self.page.evaluate(
            """() => Promise.all(document.getAnimations()
                .filter((each) => each.effect.getComputedTiming().endTime !== Infinity)
                .map((each) => each.finished.catch(() => {})))"""
        )
