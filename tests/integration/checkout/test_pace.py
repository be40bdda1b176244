"""How checkout keeps to Stripe's limits, and what a shopper hears when there is no room."""

import asyncio
import time
from uuid import uuid4

import pytest

from services.checkout.app import make
from services.checkout.stripe_api import StripeBusy, StripeRefused
from tests.integration.checkout.conftest import PATIENCE_S, an_order, serving, settings_for


@pytest.fixture
def paced(clean, pool, amqp_url, stripe, http):
    """Checkout with limits of its own at Stripe's stand-in."""
    return lambda **changes: serving(make(settings_for(clean, amqp_url, stripe.url, **changes)), http)


# The next token comes in a thousand seconds: a machine can't be too slow to find none.
ONE = {"stripe_requests_per_s_and_endpoint": 0.001, "stripe_share": 1.0, "stripe_wait_s": 0.4}
ONE_A_SECOND = {"stripe_requests_per_s_and_endpoint": 1.0, "stripe_share": 1.0, "stripe_wait_s": 0.4}


async def refused(checkout, key: str) -> tuple[str, int]:
    """Asks and is told to come back: the code, and in how many seconds."""
    headers = {"Idempotency-Key": key}
    async with checkout.http.post(f"{checkout.url}/v1/orders", json=an_order(), headers=headers) as answer:
        assert answer.status == 503
        return (await answer.json())["code"], int(answer.headers["Retry-After"])


async def test_a_shopper_without_room_is_told_to_come_back_nothing_is_written_and_the_same_key_works(paced, owner):
    async with paced(**ONE) as checkout:
        assert (await checkout.place())[0] == 201
        key = str(uuid4())
        code, retry_after_s = await refused(checkout, key)
        assert (code, 900 < retry_after_s <= 1000) == ("payment_provider_busy", True)
        assert await owner.fetchval("SELECT count(*) FROM checkout.orders") == 1
        checkout.till.stripe._account.gate._clock = lambda: time.monotonic() + retry_after_s
        assert (await checkout.place(key=key))[0] == 201


async def test_a_rush_that_is_refused_after_its_orders_were_written_ends_in_one_payment_an_order(paced, stripe, owner):
    async with paced(**ONE_A_SECOND) as checkout:
        keys = [str(uuid4()) for _ in range(3)]
        unpaid = set(keys)
        async with asyncio.timeout(PATIENCE_S):
            while unpaid:
                answers = await asyncio.gather(*(checkout.place(key=key) for key in sorted(unpaid)))
                unpaid -= {key for key, (status, _) in zip(sorted(unpaid), answers, strict=True) if status == 201}
                await asyncio.sleep(1.0 if unpaid else 0)
        assert len(await stripe.intents()) == await owner.fetchval("SELECT count(*) FROM checkout.orders") == 3


async def test_a_429_of_stripe_slows_checkout_down_for_as_long_as_it_says_and_a_lock_does_not(paced, stripe):
    create = {"method": "POST", "path": "/v1/payment_intents"}
    async with paced() as checkout:
        await stripe.fault(kind="rate_limit", reason=None, **create)  # a lock on an object: no rate
        assert (await checkout.place())[1]["code"] == "payment_provider_busy"
        assert (await checkout.place())[0] == 201
        await stripe.fault(kind="rate_limit", reason="endpoint-rate", **create)
        key = str(uuid4())
        assert (await checkout.place(key=key))[1]["code"] == "payment_provider_busy"
        gate = checkout.till.stripe._account.gate
        assert gate._bucket("POST /v1/payment_intents").rate_per_s < 100  # of 900
        assert gate._bucket("account").rate_per_s == 900
        assert (await checkout.place(key=key))[0] == 201


async def test_shoppers_and_jobs_ask_through_one_gate(paced):
    async with paced(**ONE) as checkout:
        stripe = checkout.till.stripe
        with pytest.raises(StripeRefused):  # there is no such PaymentIntent
            await stripe.in_background().retrieve_intent("pi_1")
        with pytest.raises(StripeBusy):
            await stripe.retrieve_intent("pi_1")


async def asked(limit_per_s: float, share: float, paced, stripe) -> dict[str, int]:
    """Two processes ask for all that they may; how Stripe answered, by status."""
    await stripe.control("POST", "reset")
    await stripe.control("POST", "limits", {"requests_per_s": limit_per_s})
    changes = {"stripe_requests_per_s": limit_per_s, "stripe_share": share, "stripe_wait_s": 1.5}
    async with paced(**changes) as one, paced(**changes) as other:
        asking = (each.till.stripe.retrieve_intent("pi_1") for each in (one, other) for _ in range(60))
        await asyncio.gather(*asking, return_exceptions=True)
    return (await stripe.control("GET", "state"))["answers_by_status"]


async def test_two_processes_with_half_a_limit_each_are_never_refused_by_stripe(paced, stripe):
    for _ in range(10):  # while a machine stands still, Stripe's bucket fills up and ours don't
        if "429" in await asked(10.0, 1.0, paced, stripe):
            break  # the bug: each process takes the limit for its own
    else:
        pytest.fail("two processes with a whole limit each are not refused")
    assert "429" not in await asked(10.0, 0.5, paced, stripe)
