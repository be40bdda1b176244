"""Stripe fails: it is left alone, shoppers hear so at once, jobs rest, and all goes on when it is back."""

import asyncio
import math
from uuid import uuid4

import pytest

from services.checkout import jobs
from services.checkout.app import make
from services.checkout.stripe_api import StripeDown, StripeRefused
from shared.admission import State
from tests.integration.checkout.conftest import PATIENCE_S, an_order, serving, settings_for

CREATE = {"method": "POST", "path": "/v1/payment_intents"}
ALL = {"method": "*", "path": "*"}


@pytest.fixture
def started(clean, pool, amqp_url, stripe, http):
    """Checkout whose breaker rests until a test says that the time is over: no machine is too slow for what it does
    meanwhile."""
    rest = {"stripe_circuit_rest_s": 60.0}
    return lambda **changes: serving(make(settings_for(clean, amqp_url, stripe.url, **rest, **changes)), http)


@pytest.fixture
async def checkout(started):
    async with started() as running:
        yield running


def rest_is_over(checkout) -> None:
    checkout.till.stripe.account.breaker._opened_at = -math.inf


async def until_closed(checkout) -> None:
    """Tried by the job: no shopper has to."""
    breaker = checkout.till.stripe.account.breaker
    async with asyncio.timeout(PATIENCE_S):
        while breaker.state is not State.CLOSED:
            if breaker.state is State.OPEN:  # also once more, should a call have taken too long
                rest_is_over(checkout)
            await asyncio.sleep(0.02)


async def until_all_are_placed(checkout, keys: list[str]) -> None:
    """As shoppers who come back when they are told to."""
    async with asyncio.timeout(PATIENCE_S):
        while keys:
            await until_closed(checkout)
            answers = await asyncio.gather(*(checkout.place(key=key) for key in keys))
            keys = [key for key, (status, _) in zip(keys, answers, strict=True) if status != 201]


async def fail(checkout, stripe, kind: str = "drop_before") -> list[str]:
    """Stripe fails from now on; five shoppers notice, and it is left alone. Their keys."""
    await stripe.fault(kind=kind, times=None, delay_s=2.0, **ALL)
    keys = [str(uuid4()) for _ in range(5)]
    answers = await asyncio.gather(*(checkout.place(key=key) for key in keys))
    assert {status for status, _ in answers} == {503}
    assert checkout.till.stripe.account.breaker.state is State.OPEN
    return keys


async def asked(stripe) -> int:
    """How often Stripe was asked for anything since it fails."""
    [fault] = (await stripe.control("GET", "faults"))["faults"]
    return fault["seen"]


@pytest.mark.parametrize("kind", ["drop_before", "error_before", "latency"])
async def test_while_stripe_is_down_shoppers_hear_so_at_once_nothing_is_written_and_their_keys_work_later(
    started, stripe, owner, kind
):
    async with started(**({"stripe_timeout_s": 0.5} if kind == "latency" else {})) as checkout:
        keys = await fail(checkout, stripe, kind)
        written = await owner.fetchval("SELECT count(*) FROM checkout.orders")
        before, key = await asked(stripe), str(uuid4())
        headers = {"Idempotency-Key": key}
        async with checkout.http.post(f"{checkout.url}/v1/orders", json=an_order(), headers=headers) as answer:
            assert (answer.status, (await answer.json())["code"]) == (503, "payment_provider_down")
            assert int(answer.headers["Retry-After"]) >= 1
        assert await asked(stripe) == before
        assert await owner.fetchval("SELECT count(*) FROM checkout.orders") == written
        assert await owner.fetchval("SELECT sum(reserved) FROM checkout.stock") == written
        await stripe.control("DELETE", "faults")
        await until_all_are_placed(checkout, [key, *keys])
    assert len(await stripe.intents()) == await owner.fetchval("SELECT count(*) FROM checkout.orders") == 6


async def test_jobs_claim_nothing_while_stripe_is_down(checkout, stripe, owner):
    _, placed = await checkout.place()
    await fail(checkout, stripe)
    await owner.execute("UPDATE checkout.orders SET expiry_due_at = now()")
    assert await jobs.while_well(checkout.till, jobs.expire_unpaid) == 0
    due = "SELECT expiry_due_at <= now() FROM checkout.orders WHERE id = $1::uuid"
    assert await owner.fetchval(due, placed["order"]["id"])
    await stripe.control("DELETE", "faults")
    await until_closed(checkout)
    async with asyncio.timeout(PATIENCE_S):
        while await owner.fetchval("SELECT count(*) FROM checkout.orders WHERE payment = 'expired'") == 0:
            await asyncio.sleep(0.05)


async def test_its_opening_and_closing_are_announced_once_each(checkout, stripe, owner):
    await fail(checkout, stripe)
    await stripe.control("DELETE", "faults")
    await until_closed(checkout)
    found = "SELECT type FROM checkout.outbox WHERE type LIKE 'stripe.circuit_%' ORDER BY staged_at"
    async with asyncio.timeout(PATIENCE_S):
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
    rest_is_over(checkout)
    tries = [asyncio.create_task(checkout.till.stripe.retrieve_intent("pi_none")) for _ in range(8)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    kinds = [type(outcome) for outcome in outcomes]
    assert 1 <= kinds.count(StripeRefused) <= 3  # one place may be the job's
    assert kinds.count(StripeDown) == 8 - kinds.count(StripeRefused)
