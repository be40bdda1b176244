"""Stripe fails: it is left alone, shoppers hear so at once, jobs rest, and all goes on when it is back."""

import asyncio
from uuid import uuid4

import pytest

from services.checkout import jobs
from services.checkout.app import make
from services.checkout.stripe_api import StripeDown, StripeRefused
from shared.admission import State
from tests.integration.checkout.conftest import an_order, serving, settings_for

CREATE = {"method": "POST", "path": "/v1/payment_intents"}
ALL = {"method": "*", "path": "*"}


@pytest.fixture
async def checkout(clean, pool, amqp_url, stripe, http):
    """Its breaker rests for half a second."""
    changes = {"stripe_circuit_rest_s": 0.5, "stripe_timeout_s": 0.5}
    async with serving(make(settings_for(clean, amqp_url, stripe.url, **changes)), http) as running:
        yield running


async def until_state(checkout, state: State) -> None:
    async with asyncio.timeout(10):
        while checkout.till.stripe.account.breaker.state is not state:
            await asyncio.sleep(0.02)


async def until_left_alone(checkout, for_s: float) -> None:
    """Open, and not just about to be tried: however slow the machine is, no test meets the moment in between."""
    breaker = checkout.till.stripe.account.breaker
    async with asyncio.timeout(20):
        while breaker.state is not State.OPEN or breaker.wait_s() < for_s:
            await asyncio.sleep(0.01)


async def fail(checkout, stripe, kind: str = "drop_before") -> list[str]:
    """Stripe fails from now on; five shoppers notice. Their keys."""
    await stripe.fault(kind=kind, times=None, delay_s=2.0, **ALL)
    keys = [str(uuid4()) for _ in range(5)]
    answers = await asyncio.gather(*(checkout.place(key=key) for key in keys))
    assert {status for status, _ in answers} == {503}
    return keys


@pytest.mark.parametrize("kind", ["drop_before", "error_before", "latency"])
async def test_while_stripe_is_down_shoppers_hear_so_at_once_nothing_is_written_and_their_keys_work_later(
    checkout, stripe, owner, kind
):
    keys = await fail(checkout, stripe, kind)
    await until_left_alone(checkout, for_s=0.9)
    written = await owner.fetchval("SELECT count(*) FROM checkout.orders")
    asked = (await stripe.control("GET", "state"))["answers_by_status"]
    key, headers = str(uuid4()), {}
    async with asyncio.timeout(0.8):  # sooner than a call with its repeats
        headers["Idempotency-Key"] = key
        async with checkout.http.post(f"{checkout.url}/v1/orders", json=an_order(), headers=headers) as answer:
            assert (answer.status, (await answer.json())["code"]) == (503, "payment_provider_down")
            assert int(answer.headers["Retry-After"]) >= 1
    assert await owner.fetchval("SELECT count(*) FROM checkout.orders") == written
    assert await owner.fetchval("SELECT sum(reserved) FROM checkout.stock") == written
    assert (await stripe.control("GET", "state"))["answers_by_status"] == asked
    await stripe.control("DELETE", "faults")
    await until_state(checkout, State.CLOSED)  # tried by the job: no shopper has to
    answers = await asyncio.gather(*(checkout.place(key=each) for each in (key, *keys)))
    assert {status for status, _ in answers} == {201}
    assert len(await stripe.intents()) == await owner.fetchval("SELECT count(*) FROM checkout.orders") == 6


async def test_jobs_claim_nothing_while_stripe_is_down(checkout, stripe, owner):
    _, placed = await checkout.place()
    await fail(checkout, stripe)
    await owner.execute("UPDATE checkout.orders SET expiry_due_at = now()")
    await until_left_alone(checkout, for_s=0.9)
    assert await jobs.while_well(checkout.till, jobs.expire_unpaid) == 0
    due = "SELECT expiry_due_at <= now() FROM checkout.orders WHERE id = $1::uuid"
    assert await owner.fetchval(due, placed["order"]["id"])
    await stripe.control("DELETE", "faults")
    async with asyncio.timeout(10):
        while await owner.fetchval("SELECT count(*) FROM checkout.orders WHERE payment = 'expired'") == 0:
            await asyncio.sleep(0.05)


async def test_its_opening_and_closing_are_announced_once_each(checkout, stripe, owner):
    await fail(checkout, stripe)
    await stripe.control("DELETE", "faults")
    await until_state(checkout, State.CLOSED)
    found = "SELECT type FROM checkout.outbox WHERE type LIKE 'stripe.circuit_%' ORDER BY staged_at"
    async with asyncio.timeout(5):
        while len(rows := await owner.fetch(found)) < 2:
            await asyncio.sleep(0.02)
    assert [row["type"] for row in rows] == ["stripe.circuit_opened", "stripe.circuit_closed"]


async def test_refusals_never_open_it(checkout, stripe):
    till = checkout.till
    for _ in range(20):
        with pytest.raises(StripeRefused):  # 404
            await till.stripe.retrieve_intent("pi_none")
    _, placed = await checkout.place()
    for _ in range(10):
        status, _ = await stripe.pay(placed["payment_intent_id"], "pm_card_chargeDeclined")
        assert status == 402
    await stripe.fault(kind="rate_limit", times=6, **CREATE)
    for _ in range(6):
        assert (await checkout.place())[0] == 503
    assert till.stripe.account.breaker.state is State.CLOSED


async def test_a_half_open_circuit_lets_three_try_and_tells_the_others_to_wait(checkout, stripe):
    await fail(checkout, stripe)
    await stripe.control("DELETE", "faults")
    await stripe.fault(kind="latency", times=None, delay_s=0.3, **ALL)
    breaker = checkout.till.stripe.account.breaker
    while breaker.wait_s() > 0:
        await asyncio.sleep(0.01)
    tries = [asyncio.create_task(checkout.till.stripe.retrieve_intent("pi_none")) for _ in range(8)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    kinds = [type(outcome) for outcome in outcomes]
    assert 1 <= kinds.count(StripeRefused) <= 3  # one place may be the job's
    assert kinds.count(StripeDown) == 8 - kinds.count(StripeRefused)
