"""Who waits for a turn, who goes first, and who is told to come back."""

import asyncio

import pytest

from shared.admission import Busy, Gate, Limits, Priority
from shared.admission.bucket import BURST_S
from shared.stripe_client import endpoint_of

SHOPPER, BACKGROUND = Priority.SHOPPER, Priority.BACKGROUND


class Clock:
    """Stands still unless a test moves it: how busy the machine is changes nothing."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def drained(clock: Clock, limits: Limits, endpoint: str = "a") -> Gate:
    """A gate without a token for now: the next one has to wait."""
    gate = Gate(limits, clock)
    for _ in range(max(1, int(min(limits.account_per_s, limits.endpoint_per_s) * BURST_S))):
        await gate.admit(endpoint, SHOPPER)
    return gate


async def asking(gate: Gate, endpoint: str = "a", priority: Priority = SHOPPER) -> "asyncio.Task[None]":
    """Somebody who stands in the queue by now, if he has to."""
    task = asyncio.create_task(gate.admit(endpoint, priority))
    await asyncio.sleep(0)
    return task


async def test_shoppers_go_before_jobs_that_came_first_and_jobs_get_one_turn_in_ten():
    clock, order = Clock(), []
    gate = await drained(clock, Limits(1000, 1e6))

    async def ask(priority: Priority) -> None:
        await gate.admit("a", priority)
        order.append(priority.value[0])

    asked = asyncio.gather(*(ask(priority) for priority in [BACKGROUND] * 3 + [SHOPPER] * 12))
    while not asked.done():
        await asyncio.sleep(0.002)
        clock.now += 0.001
    assert "".join(order) == "s" * 9 + "b" + "s" * 3 + "bb"


async def test_one_busy_endpoint_does_not_hold_up_another():
    gate = await drained(Clock(), Limits(1e6, 5))
    waiting = await asking(gate)
    await gate.admit("b", BACKGROUND)
    assert not waiting.done()
    waiting.cancel()


async def test_the_limit_of_the_account_holds_all_endpoints_back():
    gate = await drained(Clock(), Limits(5, 1e6))
    waiting = [await asking(gate, endpoint) for endpoint in "abcde"]
    assert not any(each.done() for each in waiting)
    for each in waiting:
        each.cancel()


async def test_a_full_queue_refuses_at_once_and_each_priority_has_places_of_its_own():
    gate = await drained(Clock(), Limits(10, 1e6, places=2))
    waiting = [await asking(gate) for _ in range(2)]
    with pytest.raises(Busy) as refused:
        await gate.admit("a", SHOPPER)
    assert (refused.value.reason, refused.value.retry_after_s) == ("queue_full", pytest.approx(0.3))
    gate.check("a", BACKGROUND)
    for each in waiting:
        each.cancel()


async def test_who_would_wait_too_long_is_refused_at_once_and_told_when_to_come_back():
    clock = Clock()
    gate = await drained(clock, Limits(0.5, 1e6, wait_s=3.0))
    waiting = await asking(gate)
    with pytest.raises(Busy) as refused:
        gate.check("a", SHOPPER)
    assert (refused.value.reason, refused.value.retry_after_s) == ("too_long", pytest.approx(4.0))
    clock.now = 2.0
    (await asking(gate, "b", BACKGROUND)).cancel()  # whoever comes lets the first one in
    await waiting
    clock.now = 4.0
    await gate.admit("a", SHOPPER)  # who comes back when told gets in


async def test_who_leaves_while_waiting_frees_the_place_and_takes_no_token():
    clock = Clock()
    gate = await drained(clock, Limits(10, 1e6, places=1))
    leaving = await asking(gate)
    leaving.cancel()
    await asyncio.wait({leaving})
    clock.now = 0.1
    await gate.admit("a", SHOPPER)  # there was a place, and the next token was not gone


async def test_who_is_cancelled_in_the_moment_of_his_turn_gives_the_token_to_the_next():
    now = 0.0
    gate = Gate(Limits(1.0, 1.0), clock=lambda: now)
    await gate.admit("a", SHOPPER)
    leaving = asyncio.create_task(gate.admit("a", SHOPPER))
    await asyncio.sleep(0)
    now = 1.0  # there is one more token
    staying = asyncio.create_task(gate.admit("a", SHOPPER))
    await asyncio.sleep(0)  # whoever comes lets the first one in, who has not heard of it yet
    leaving.cancel()
    await asyncio.wait({leaving})
    assert leaving.cancelled()
    await asyncio.wait_for(staying, 60)


async def test_a_rate_that_gives_way_while_somebody_waits_does_not_keep_him_beyond_the_limit():
    gate = await drained(Clock(), Limits(5, 1e6, wait_s=0.25))
    waiting = await asking(gate)
    gate.slow_down("a", "global-rate", rest_s=60)
    with pytest.raises(Busy):
        await waiting


@pytest.mark.parametrize(
    ("reason", "slowed"),
    [("endpoint-rate", "a"), ("endpoint-concurrency", "a"), ("global-rate", "ab"), ("resource-specific", ""), ("", "")],
)
async def test_only_a_limit_of_rate_slows_us_and_only_where_it_is(reason, slowed):
    gate = Gate(Limits(100, 100), Clock())
    await gate.admit("a", SHOPPER)
    gate.slow_down("a", reason, rest_s=10)
    for endpoint in "ab":
        if endpoint in slowed:
            with pytest.raises(Busy):
                gate.check(endpoint, SHOPPER)
        else:
            gate.check(endpoint, SHOPPER)


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("https://api.stripe.com/v1/payment_intents", "GET /v1/payment_intents"),
        ("https://api.stripe.com/v1/payment_intents?limit=3", "GET /v1/payment_intents"),
        ("https://api.stripe.com/v1/payment_intents/pi_1/cancel", "GET /v1/payment_intents/{id}/cancel"),
        ("https://api.stripe.com/v1/payment_intents/search?query=x", "GET /v1/payment_intents/search"),
        ("https://api.stripe.com/v1/events/evt_1", "GET /v1/events/{id}"),
    ],
)
def test_an_endpoint_is_its_method_and_its_path_without_ids(url, endpoint):
    assert endpoint_of("get", url) == endpoint
