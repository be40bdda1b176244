"""One shopper at a time: from the click to the client secret, and from paid to the confirmation mail accepted."""

import asyncio
import time
from datetime import datetime
from email.message import EmailMessage
from typing import Any

import aiosmtplib
import stripe

from deploy.demo.backing import Backing
from deploy.demo.shopper import Placed, Shopper
from deploy.demo.stage import Stage
from deploy.demo.waiting import until
from tests.bench.figures import Figure, figure, quantile
from tests.bench.ordering import SKUS

ROUNDS = 5
CLICKS = 12
MAILS = 20


async def clicks(stage: Stage, _: Backing) -> list[Figure]:
    """Floor: a bare PaymentIntent made through the official package."""
    shopper = Shopper(stage.http, stage.addresses, "clicker")
    session = stripe.AIOHTTPClient()
    client = stripe.StripeClient(
        stage.options.keys.secret, base_addresses={"api": stage.addresses.stripe_url}, http_client=session
    )
    ours: list[list[float]] = []
    bare: list[list[float]] = []
    cpu: list[float] = []
    try:
        for number in range(ROUNDS + 1):
            mine = [await _timed(shopper.place(shopper.basket(SKUS[turn]))) for turn in range(CLICKS)]
            used = time.process_time()
            floor = [await _timed(_bare(client)) for _ in range(CLICKS)]
            used = (time.process_time() - used) / CLICKS
            if number:  # the first is for warming up
                ours, bare, cpu = [*ours, mine], [*bare, floor], [*cpu, used * 1000]
    finally:
        await session.close_async()  # type: ignore[no-untyped-call]  # the package left it without annotations
    note = f"{ROUNDS} x {CLICKS} orders; floor: a bare PaymentIntent"
    made = [
        figure(f"click to client secret {label}", _each(ours, share), "ms", _each(bare, share), note)
        for label, share in (("p50", 0.5), ("p95", 0.95))
    ]
    return [*made, figure("CPU of Stripe's package", cpu, "ms/call", [], "in the client, a bare PaymentIntent")]


async def mails(stage: Stage, _: Backing) -> list[Figure]:
    """From Stripe's stand-in hearing 2xx for `payment_intent.succeeded` to the mail server's word for the mail."""
    shopper = Shopper(stage.http, stage.addresses, "reader")
    waits, conversations = [], []
    for turn in range(MAILS):
        shopper.email = f"reader.{turn}@shopper.example"
        placed = await shopper.place(shopper.basket(SKUS[turn]))
        seen = len(await _deliveries(stage))
        await shopper.pay(placed)
        heard_at, accepted_at = await _heard(stage, seen), await _accepted(stage, placed)
        waits.append((accepted_at - heard_at) * 1000)
        conversations.append(await _timed(_conversation(stage)) * 1000)
    note = f"{MAILS} orders, one after another; floor: one SMTP conversation"
    return [
        figure(f"paid to mail accepted {label}", [quantile(waits, share)], "ms", [quantile(conversations, share)], note)
        for label, share in (("p50", 0.5), ("p95", 0.95))
    ]


def _each(rounds: list[list[float]], share: float) -> list[float]:
    return [quantile(each, share) * 1000 for each in rounds]


async def _timed(work: Any) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def _bare(client: stripe.StripeClient) -> None:
    await client.v1.payment_intents.create_async(
        {"amount": 12900, "currency": "usd", "automatic_payment_methods": {"enabled": True}}
    )


async def _deliveries(stage: Stage) -> list[dict[str, Any]]:
    url = f"{stage.addresses.stripe_control_url}/deliveries"
    async with stage.http.get(url, params={"limit": "100000"}) as response:
        entries: list[dict[str, Any]] = (await response.json())["deliveries"]
    return [entry for entry in entries if entry["type"] == "payment_intent.succeeded" and entry["status"] == 200]


async def _heard(stage: Stage, seen: int) -> float:
    async def probe() -> float | None:
        found = await _deliveries(stage)
        return float(found[-1]["at"]) if len(found) > seen else None

    return await until(probe, "the webhook is accepted", 20)


async def _accepted(stage: Stage, placed: Placed) -> float:
    async def probe() -> float | None:
        async with stage.http.get(f"{stage.addresses.mail_url}/api/messages", params={"to": placed.email}) as response:
            found = (await response.json())["messages"]
        return datetime.fromisoformat(found[0]["received_at"]).timestamp() if found else None

    return await until(probe, "the mail is accepted", 30)


async def _conversation(stage: Stage) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "bench@shop.example", "floor@shopper.example", "The floor"
    mail.set_content("As long as a confirmation.\n" * 400)
    await asyncio.wait_for(
        aiosmtplib.send(
            mail, hostname="127.0.0.1", port=stage.setup.ports.smtp, local_hostname="shop.example", start_tls=False
        ),
        10,
    )
