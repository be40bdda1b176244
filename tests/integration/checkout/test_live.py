"""A page that waits for its order hears of every change, of its own order only, and is let go in order."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from services.checkout.actions import payments
from services.checkout.actions.live import Live, TooManyWatch
from services.checkout.app import make
from services.checkout.store import orders as store
from shared.db import Pool
from shared.events import PaymentSnapshot
from shared.ids import uuid7
from shared.web import DRAINING
from tests.integration.checkout.conftest import PATIENCE_S, Checkout, an_order, serving, settings_for


@dataclass
class Stream:
    """The answer as it comes, part by part."""

    response: aiohttp.ClientResponse

    async def part(self) -> dict[str, str]:
        """The next event or comment; empty when the stream ended."""
        found: dict[str, str] = {}
        async with asyncio.timeout(PATIENCE_S):
            while line := (await self.response.content.readline()).decode():
                name, _, value = line.rstrip("\n").partition(":")
                if not name and not value:
                    return found
                found[name or "comment"] = value.strip()
        return found

    async def event(self) -> dict[str, Any]:
        """The next event, past comments."""
        while part := await self.part():
            if "data" in part:
                return {**part, "order": json.loads(part["data"])}
        raise AssertionError("the stream ended")


@pytest.fixture
async def app(clean, pool, amqp_url, stripe):
    limits = {"live_look_s": 0.05, "live_heartbeat_s": 0.3, "live_streams": 4, "live_streams_per_order": 2}
    return make(settings_for(clean, amqp_url, stripe.url, **limits))


@pytest.fixture
async def shop(app, http) -> AsyncIterator[Checkout]:
    async with serving(app, http) as running:
        yield running


@contextlib.asynccontextmanager
async def watching(shop: Checkout, placed: dict[str, Any], **headers: str) -> AsyncIterator[Stream]:
    url = f"{shop.url}/v1/orders/{placed['order']['id']}/events"
    headers = {"Authorization": f"Bearer {placed['order_token']}", **headers}
    async with shop.http.get(url, headers=headers) as response:
        yield Stream(response)


async def move(owner, placed: dict[str, Any], payment: str) -> None:
    paid_at = "now()" if payment == "paid" else "NULL"
    await owner.execute(
        f"UPDATE checkout.orders SET payment = $2, paid_at = {paid_at} WHERE id = $1",
        UUID(placed["order"]["id"]),
        payment,
    )


async def test_a_page_is_told_how_its_order_stands_and_then_every_change(shop, owner):
    _, placed = await shop.place()
    async with watching(shop, placed) as stream:
        assert stream.response.status == 200
        assert stream.response.headers["Content-Type"].startswith("text/event-stream")
        assert stream.response.headers["X-Accel-Buffering"] == "no"
        assert stream.response.headers["Cache-Control"] == "no-store"
        assert 1000 <= int((await stream.part())["retry"]) <= 3000
        assert (await stream.event())["order"] == placed["order"]
        for payment in ("processing", "failed", "paid"):
            await move(owner, placed, payment)
            told = await stream.event()
            assert (told["event"], told["order"]["payment"]) == ("order", payment)


async def test_what_stripe_says_reaches_the_page(shop, app):
    _, placed = await shop.place()
    order = placed["order"]
    payment = PaymentSnapshot(
        payment_intent_id=placed["payment_intent_id"],
        order_id=UUID(order["id"]),
        status="succeeded",
        currency=order["currency"],
        amount_minor=order["total_minor"],
        amount_received_minor=order["total_minor"],
    )
    async with watching(shop, placed) as stream:
        await stream.event()
        async with shop.till.pool.worker() as conn:
            await payments.apply_hint(conn, payment, hint_id="evt_1")
        assert (await stream.event())["order"]["payment"] == "paid"


async def test_a_page_that_comes_back_hears_what_changed_meanwhile_and_nothing_twice(shop, owner):
    _, placed = await shop.place()
    async with watching(shop, placed) as stream:
        seen = (await stream.event())["id"]
    async with watching(shop, placed, **{"Last-Event-ID": seen}) as stream:
        assert set(await stream.part()) == {"retry"}
        assert set(await stream.part()) == {"comment"}
        await move(owner, placed, "processing")
        assert (await stream.event())["order"]["payment"] == "processing"
    await move(owner, placed, "failed")
    async with watching(shop, placed, **{"Last-Event-ID": seen}) as stream:
        assert (await stream.event())["order"]["payment"] == "failed"


async def test_no_change_is_missed_however_the_page_comes_and_goes(shop, owner):
    _, placed = await shop.place()
    seen = ""
    for payment in ("processing", "failed", "processing", "paid"):
        changing = asyncio.create_task(move(owner, placed, payment))
        told = None
        while told != payment:
            async with watching(shop, placed, **({"Last-Event-ID": seen} if seen else {})) as stream:
                event = await stream.event()
                seen, told = event["id"], event["order"]["payment"]
        await changing


async def test_a_silent_line_is_kept_alive(shop):
    _, placed = await shop.place()
    async with watching(shop, placed) as stream:
        await stream.event()
        assert set(await stream.part()) == {"comment"}
        assert set(await stream.part()) == {"comment"}


async def test_streams_end_when_the_process_is_told_to_stop(shop, app):
    _, placed = await shop.place()
    async with watching(shop, placed) as stream:
        await stream.event()
        app[DRAINING].set()
        while "comment" in (part := await stream.part()):
            pass  # it was kept alive just before
        assert part == {}
        assert stream.response.content.at_eof()  # an end, not a cut: aiohttp would have raised


async def test_only_the_orders_own_token_opens_a_stream(shop):
    _, mine = await shop.place()
    _, yours = await shop.place()
    url = f"/v1/orders/{mine['order']['id']}/events"
    assert (await shop.get(url))[1]["code"] == "order_token_missing"
    assert (await shop.get(url, params={"token": yours["order_token"]}))[1]["code"] == "order_token_wrong"
    cookie = f"order_token_{mine['order']['id'][-12:]}={yours['order_token']}"
    status, _ = await shop.get(url, headers={"Cookie": cookie})
    assert status == 403
    async with shop.http.head(shop.url + url, params={"token": mine["order_token"]}) as response:
        assert response.status == 405


async def test_the_cookie_that_comes_with_the_order_opens_it_and_its_stream(shop):
    headers = {"Idempotency-Key": "one"}
    async with shop.http.post(f"{shop.url}/v1/orders", json=an_order(), headers=headers) as response:
        placed, cookies = await response.json(), response.headers.getall("Set-Cookie")
    (cookie,) = cookies
    path = f"/v1/orders/{placed['order']['id']}"
    parts = {part.strip() for part in cookie.split(";")[1:]}
    assert {"HttpOnly", "Secure", "SameSite=Lax", f"Path={path}"} <= parts
    mine = {"Cookie": cookie.split(";")[0]}
    status, order = await shop.get(path, headers=mine)
    assert (status, order["id"]) == (200, placed["order"]["id"])
    async with shop.http.get(f"{shop.url}{path}/events", headers=mine) as response:
        assert (await Stream(response).event())["order"] == placed["order"]


async def test_places_are_bounded_for_the_process_and_for_one_order(shop):
    orders = [(await shop.place())[1] for _ in range(3)]
    async with contextlib.AsyncExitStack() as stack:
        for placed in (orders[0], orders[0]):
            await stack.enter_async_context(watching(shop, placed))
        async with watching(shop, orders[0]) as third:  # of the same order
            assert (third.response.status, third.response.headers["Retry-After"]) == (503, "10")
            assert (await third.response.json())["code"] == "too_many_watch"
        for placed in (orders[1], orders[2]):
            await stack.enter_async_context(watching(shop, placed))
        async with watching(shop, orders[2]) as fifth:
            assert fifth.response.status == 503
    async with asyncio.timeout(PATIENCE_S):  # those who left are noticed at the next heartbeat
        while True:
            async with watching(shop, orders[2]) as again:
                if again.response.status == 200:
                    break
            await asyncio.sleep(0.1)


class Counted(Pool):
    """A pool that counts what it is asked for."""

    transactions = 0

    def worker(self):
        self.transactions += 1
        return super().worker()


async def test_a_thousand_pages_cost_one_question(clean, checkout, pool):
    _, placed = await checkout.place()
    counted = Counted(pool._connections, pool._role)
    live = Live(counted, settings_for(clean, "amqp://127.0.0.1", "http://127.0.0.1"))
    with contextlib.ExitStack() as stack:
        mine = stack.enter_context(live.watching(UUID(placed["order"]["id"]), "0"))
        for _ in range(1000):
            stack.enter_context(live.watching(uuid7(), "0"))
        await live.wake_the_changed()
        assert counted.transactions == 1
        assert mine.woken.is_set()
        with pytest.raises(TooManyWatch):
            [stack.enter_context(live.watching(uuid7(), None)) for _ in range(1000)]
    await live.wake_the_changed()
    assert counted.transactions == 1  # nobody waits any more: nothing is asked


async def test_a_request_cannot_see_even_the_version_of_anothers_order(checkout, pool):
    mine, yours = [UUID((await checkout.place())[1]["order"]["id"]) for _ in range(2)]
    async with pool.request(order_id=mine) as conn:
        assert set(await store.select_versions(conn, [mine, yours])) == {mine}
