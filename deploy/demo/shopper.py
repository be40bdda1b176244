"""A shopper: what a browser does with the shop and with Stripe, with nothing that a browser does not have."""

import secrets
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from deploy.demo.addresses import Addresses
from deploy.demo.waiting import until

VISA = "pm_card_visa"
DECLINED = "pm_card_chargeDeclinedInsufficientFunds"
THREE_D_SECURE = "pm_card_threeDSecure2Required"

TIE = "SILK-TIE-NAVY-ONE"


class Surprised(Exception):
    """An answer that a shopper should not get; the message says which."""


@dataclass(frozen=True)
class Placed:
    """An order as the page knows it that placed it."""

    id: str
    number: str
    total_minor: int
    currency: str
    email: str
    token: str = field(repr=False)
    payment_intent_id: str
    client_secret: str = field(repr=False)
    publishable_key: str

    @property
    def price(self) -> str:
        return f"{self.total_minor / 100:.2f} {self.currency.upper()}"


class Shopper:
    def __init__(self, http: aiohttp.ClientSession, addresses: Addresses, name: str) -> None:
        self._http = http
        self._addresses = addresses
        self.email = f"{name}.{secrets.token_hex(3)}@shopper.example"
        self._name = name

    def basket(self, sku: str = TIE, quantity: int = 1, **changes: Any) -> dict[str, Any]:
        address = {
            "name": f"{self._name.title()} Shopper",
            "line1": "12 St James Square",
            "city": "London",
            "postal_code": "SW1Y 4JH",
            "country": "GB",
        }
        return {
            "email": self.email,
            "locale": "en",
            "currency": "usd",
            "lines": [{"sku": sku, "quantity": quantity}],
            "shipping_address": address,
            **changes,
        }

    async def place(self, basket: dict[str, Any] | None = None, key: str | None = None) -> Placed:
        body = basket or self.basket()
        status, answer = await self.try_to_place(body, key or secrets.token_hex(12))
        if status != 201:
            raise Surprised(f"POST /v1/orders answered {status}: {answer}")
        return placed_from(answer, self.email)

    async def try_to_place(self, basket: dict[str, Any], key: str) -> tuple[int, dict[str, Any]]:
        url = f"{self._addresses.checkout_url}/v1/orders"
        async with self._http.post(url, json=basket, headers={"Idempotency-Key": key}) as response:
            return response.status, await response.json()

    async def confirm(self, placed: Placed, card: str = VISA) -> tuple[int, dict[str, Any]]:
        """Give Stripe a card for the order: publishable key and client secret are all a page has."""
        form = {
            "payment_method": card,
            "client_secret": placed.client_secret,
            "return_url": f"{self._addresses.checkout_url}/orders/{placed.id}",
        }
        url = f"{self._addresses.stripe_url}/v1/payment_intents/{placed.payment_intent_id}/confirm"
        headers = {"Authorization": f"Bearer {placed.publishable_key}"}
        async with self._http.post(url, data=form, headers=headers) as response:
            return response.status, await response.json()

    async def pay(self, placed: Placed, card: str = VISA) -> None:
        status, answer = await self.confirm(placed, card)
        if status != 200 or answer["status"] != "succeeded":
            raise Surprised(f"the card was not taken: {status}, {_why(answer)}")

    async def authenticate(self, challenge: dict[str, Any]) -> None:
        """Answer the bank's question on the page that Stripe sends the browser to."""
        url = challenge["next_action"]["redirect_to_url"]["url"]
        async with self._http.post(url, data={"outcome": "succeed"}, allow_redirects=False) as response:
            if response.status != 303:
                raise Surprised(f"the page for 3-D Secure answered {response.status}")

    async def look(self, placed: Placed) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {placed.token}"}
        url = f"{self._addresses.checkout_url}/v1/orders/{placed.id}"
        async with self._http.get(url, headers=headers) as response:
            if response.status != 200:
                raise Surprised(f"GET /v1/orders/… answered {response.status}: {await response.text()}")
            found: dict[str, Any] = await response.json()
            return found

    async def until_it_is(self, payment: str, placed: Placed, within_s: float = 60) -> dict[str, Any]:
        """The order, once its payment is in that state."""

        async def probe() -> dict[str, Any] | None:
            order = await self.look(placed)
            return order if order["payment"] == payment else None

        return await until(probe, f"order {placed.number} is {payment}", within_s)

    async def available(self, sku: str = TIE) -> int:
        async with self._http.get(f"{self._addresses.checkout_url}/v1/products") as response:
            products = (await response.json())["products"]
        variants = (variant for product in products for variant in product["variants"])
        return next(int(variant["available"]) for variant in variants if variant["sku"] == sku)


def placed_from(answer: dict[str, Any], email: str) -> Placed:
    order = answer["order"]
    return Placed(
        id=order["id"],
        number=order["number"],
        total_minor=order["total_minor"],
        currency=order["currency"],
        email=email,
        token=answer["order_token"],
        payment_intent_id=answer["payment_intent_id"],
        client_secret=answer["client_secret"],
        publishable_key=answer["publishable_key"],
    )


def _why(answer: dict[str, Any]) -> str:
    error = answer.get("error", {})
    return str(error.get("decline_code") or error.get("code") or answer.get("status") or "no reason given")
