"""Processes that die without warning, and processes that are asked to stop."""

import asyncio
import secrets
import signal

import aiohttp
import pytest

from deploy.demo.shopper import placed_from
from deploy.demo.waiting import until


async def has_begun(stage, email):
    """Checkout has written the order down, and asks Stripe."""

    async def probe():
        return await stage.look("SELECT 1 FROM checkout.orders WHERE email = $1", email)

    await until(probe, "checkout has begun with the order", 30)


async def test_an_order_survives_checkout_being_killed_before_it_could_answer(scene, stage):
    shopper, key = scene.shopper("kay"), secrets.token_hex(12)
    basket = shopper.basket()
    await scene.watcher.control(
        "POST", "faults", {"kind": "latency", "method": "POST", "path": "/v1/payment_intents", "delay_s": 3}
    )
    first = asyncio.create_task(shopper.try_to_place(basket, key))
    await has_begun(stage, shopper.email)
    stage.supervisor.kill("checkout")
    with pytest.raises(aiohttp.ClientError):
        await first

    async def repeat():
        status, answer = await shopper.try_to_place(basket, key)
        return answer if status == 201 else None

    placed = placed_from(await until(repeat, "the repeated order is answered", 60), shopper.email)
    rows = await stage.look("SELECT id::text FROM checkout.orders WHERE email = $1", shopper.email)
    assert [row["id"] for row in rows] == [placed.id]
    intents = (await scene.watcher.control("GET", "payment_intents"))["payment_intents"]
    assert [i["id"] for i in intents if i["metadata"]["order_id"] == placed.id] == [placed.payment_intent_id]

    await shopper.pay(placed)
    await shopper.until_it_is("paid", placed)


async def test_a_mail_is_sent_though_the_notifier_died_when_the_order_was_paid(scene, stage):
    shopper = scene.shopper("lea")
    placed = await shopper.place()
    stage.supervisor.kill("notifier")
    await shopper.pay(placed)
    (mail,) = await scene.watcher.until_mailed(placed.email)
    assert mail["copies"] == 1


async def test_every_service_asked_to_stop_ends_with_0(scene, stage, reports):
    services = [name for name in stage.programs if not name.startswith("standin")]
    before = dict(stage.supervisor.restarts)
    for service in services:
        stage.supervisor.kill(service, signal.SIGTERM)

    async def probe():
        return all(stage.supervisor.restarts[service] > before[service] for service in services)

    await until(probe, "all of them end", 60)
    for service in services:
        ended = [line for line in reports if line.startswith(f"{service} ")][-1]
        assert ended.startswith(f"{service} ended with 0")


async def test_checkout_answers_what_it_has_begun_before_it_stops(scene, stage):
    shopper = scene.shopper("mia")
    await scene.watcher.control(
        "POST", "faults", {"kind": "latency", "method": "POST", "path": "/v1/payment_intents", "delay_s": 1.0}
    )
    answer = asyncio.create_task(shopper.place())
    await has_begun(stage, shopper.email)
    before = stage.supervisor.restarts["checkout"]
    stage.supervisor.kill("checkout", signal.SIGTERM)
    placed = await answer

    async def is_another():
        return stage.supervisor.restarts["checkout"] > before

    await until(is_another, "checkout ends, and is started again", 60)
    await stage.supervisor.healthy("checkout")
    await shopper.pay(placed)
    await shopper.until_it_is("paid", placed)
