"""Looking from outside at what the processes did: mails, Slack, figures, and Stripe's stand-in."""

from dataclasses import dataclass
from typing import Any

import aiohttp

from deploy.demo.addresses import Addresses
from deploy.demo.waiting import until


class NoControl(Exception):
    """Stripe itself can't be told to misbehave."""


@dataclass(frozen=True)
class Watcher:
    http: aiohttp.ClientSession
    addresses: Addresses

    async def get(self, url: str) -> Any:
        async with self.http.get(url) as response:
            response.raise_for_status()
            return await response.json()

    async def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Stripe's stand-in, told what to do."""
        if self.addresses.stripe_control_url is None:
            raise NoControl
        async with self.http.request(method, f"{self.addresses.stripe_control_url}/{path}", json=body) as response:
            response.raise_for_status()
            return await response.json()

    async def intent(self, payment_intent_id: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = (await self.control("GET", "payment_intents"))["payment_intents"]
        return next(intent for intent in found if intent["id"] == payment_intent_id)

    async def mails(self, to: str) -> list[dict[str, Any]]:
        url = f"{self.addresses.mail_url}/api/messages"
        async with self.http.get(url, params={"to": to}) as response:
            found: list[dict[str, Any]] = (await response.json())["messages"]
            return found

    async def until_mailed(self, to: str, count: int = 1, within_s: float = 60) -> list[dict[str, Any]]:
        async def probe() -> list[dict[str, Any]] | None:
            found = await self.mails(to)
            return found if len(found) >= count else None

        return await until(probe, f"mail {count} to {to}", within_s)

    async def until_slacked(self, *words: str, within_s: float = 60) -> str:
        """The message in Slack that has all these words in it."""

        async def probe() -> str | None:
            messages = (await self.get(f"{self.addresses.slack_url}/api/messages"))["messages"]
            texts = [str(each["text"]) for each in messages]
            return next((text for text in texts if all(word in text for word in words)), None)

        return await until(probe, f"Slack hears {' … '.join(words)}", within_s)

    async def figure(self, name: str, **labels: str) -> float:
        """The sum of a metric over all processes, as Prometheus would read it."""
        async with self.http.get(f"{self.addresses.monitor_url}/metrics") as response:
            response.raise_for_status()
            lines = (await response.text()).splitlines()
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        found = [line for line in lines if line.startswith((f"{name}{{", f"{name} "))]
        return sum(float(line.rsplit(" ", 1)[1]) for line in found if all(each in line for each in wanted))

    async def until_figure(self, more_than: float, name: str, within_s: float = 60, **labels: str) -> float:
        async def probe() -> float | None:
            value = await self.figure(name, **labels)
            return value if value > more_than else None

        return await until(probe, f"{name} is more than {more_than:g}", within_s)
