"""Behind the page: what became of it all, and what happens in the shop meanwhile."""

import re
from dataclasses import dataclass
from typing import Any

from deploy.demo.stage import Stage
from deploy.demo.waiting import until
from deploy.demo.watching import Watcher


@dataclass(frozen=True)
class Backstage:
    stage: Stage
    watcher: Watcher

    async def orders_and_intents(self, email: str) -> tuple[int, int]:
        """How many orders this customer has, and how many PaymentIntents Stripe has for them."""
        orders = await self.stage.look("SELECT id::text FROM checkout.orders WHERE email = $1", email)
        ids = {row["id"] for row in orders}
        intents = (await self.watcher.control("GET", "payment_intents"))["payment_intents"]
        return len(ids), sum(intent["metadata"].get("order_id") in ids for intent in intents)

    async def put_on_shelf(self, sku: str, available: int) -> None:
        """As if others had bought or returned some."""
        await self._change(
            """
            INSERT INTO checkout.stock_journal (id, sku, on_hand_change, reserved_change, reason)
            SELECT gen_random_uuid(), sku, reserved + $2 - on_hand, 0, 'recount' FROM checkout.stock
            WHERE sku = $1 AND on_hand <> reserved + $2
            """,
            sku,
            available,
        )

    async def let_expire(self, email: str) -> None:
        """The customer's reservation ends now; returns when it has ended."""
        await self._change(
            "UPDATE checkout.orders SET reserved_until = now(), expiry_due_at = now() WHERE email = $1", email
        )
        await self.until_payment_is("expired", email)

    async def bank_is_working(self, email: str) -> None:
        """As after a payment that takes days; no card does that."""
        await self._change("UPDATE checkout.orders SET payment = 'processing' WHERE email = $1", email)

    async def hold(self, email: str) -> None:
        """Something about the payment differs from the order."""
        await self._change("UPDATE checkout.orders SET hold = 'payment_differs' WHERE email = $1", email)

    async def send(self, email: str) -> None:
        """All of it, in one parcel."""
        (order,) = await self.stage.look("SELECT number FROM checkout.orders WHERE email = $1", email)
        await self.stage.operate("ship", order["number"], "--carrier", "UPS", "--tracking-number", "1Z999AA10123456784")

    async def link_in_mail(self, email: str) -> str:
        """To checkout's own page of the order."""
        (mail, *_) = await self.watcher.until_mailed(email)
        detail = await self.watcher.get(f"{self.stage.addresses.mail_url}/api/messages/{mail['id']}")
        (link, *_) = re.findall(rf"{self.stage.addresses.checkout_url}/orders/\S+", detail["text"])
        return str(link)

    async def until_payment_is(self, payment: str, email: str) -> None:
        async def probe() -> bool:
            rows = await self.stage.look("SELECT payment FROM checkout.orders WHERE email = $1", email)
            return [row["payment"] for row in rows] == [payment]

        await until(probe, f"the order of {email} is {payment}", within_s=60)

    async def until_begun(self, email: str) -> None:
        """Checkout has written the order down."""

        async def probe() -> bool:
            return bool(await self.stage.look("SELECT 1 FROM checkout.orders WHERE email = $1", email))

        await until(probe, f"the order of {email} is begun", within_s=30)

    async def stripe_will(self, **fault: Any) -> None:
        """Order a fault of Stripe's stand-in."""
        await self.watcher.control("POST", "faults", fault)

    async def events_are_held(self) -> None:
        """Stripe's events stay there until the weather is fair again."""
        await self.watcher.control("POST", "deliveries/rules", {"hold": True})

    async def events_come(self) -> None:
        await self.watcher.control("DELETE", "deliveries/rules")

    async def fair_weather(self) -> None:
        await self.watcher.control("DELETE", "faults")
        await self.watcher.control("DELETE", "deliveries/rules")

    async def _change(self, statement: str, *arguments: object) -> None:
        await self.stage.look(statement, *arguments, as_owner=True)
