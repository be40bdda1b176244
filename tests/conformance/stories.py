"""What the checks begin with: payments in each state, and waiting for what comes by itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import stripe

from tests.integration.standins.conftest import StandIn

T = TypeVar("T")
NO_REDIRECTS = {"enabled": True, "allow_redirects": "never"}


def purchase(method: str = "pm_card_visa", **more: Any) -> Any:
    return {
        "amount": 5000,
        "currency": "usd",
        "payment_method": method,
        "confirm": True,
        "automatic_payment_methods": NO_REDIRECTS,
        **more,
    }


async def paid(stand_in: StandIn, method: str = "pm_card_visa", **more: Any) -> stripe.PaymentIntent:
    return await stand_in.client.v1.payment_intents.create_async(purchase(method, **more))


async def refused(calling: Awaitable[Any]) -> stripe.StripeError:
    try:
        await calling
    except stripe.StripeError as error:
        return error
    raise AssertionError("it was not refused")


async def sooner_or_later(ask: Callable[[], Awaitable[T]], holds: Callable[[T], bool], deadline_s: float = 30) -> T:
    async with asyncio.timeout(deadline_s):
        while not holds(answer := await ask()):
            await asyncio.sleep(0.02)
    return answer


async def advance(stand_in: StandIn, seconds: float) -> None:
    await stand_in.control("POST", "/clock/advance", {"seconds": seconds})


async def told(stand_in: StandIn, *types: str) -> list[stripe.Event]:
    """Oldest first."""
    page = await stand_in.client.v1.events.list_async({"limit": 100, **({"types": list(types)} if types else {})})
    return page.data[::-1]


async def told_types(stand_in: StandIn) -> list[str]:
    return [event.type for event in await told(stand_in)]


async def disputed(stand_in: StandIn, method: str = "pm_card_createDispute") -> stripe.Dispute:
    intent = await paid(stand_in, method)

    async def disputes() -> list[stripe.Dispute]:
        return (await stand_in.client.v1.disputes.list_async({"payment_intent": intent.id})).data

    await advance(stand_in, 2)
    return (await sooner_or_later(disputes, bool))[0]


async def authenticate(stand_in: StandIn, intent_id: str, outcome: str = "succeed") -> None:
    noun = "setup_intents" if intent_id.startswith("seti_") else "payment_intents"
    await stand_in.control("POST", f"/{noun}/{intent_id}/authenticate", {"outcome": outcome})
