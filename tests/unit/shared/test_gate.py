"""Who waits for a turn, who goes first, and who is told to come back."""

import asyncio

import pytest

from shared.admission import Busy, Gate, Limits, Priority
from shared.stripe_client import endpoint_of

SHOPPER, BACKGROUND = Priority.SHOPPER, Priority.BACKGROUND


def a_gate(account: float = 1e6, endpoint: float = 1e6, places: int = 200, wait_s: float = 3.0) -> Gate:
    return Gate(Limits(account, endpoint, places, wait_s))


async def drained(gate: Gate, endpoint: str = "a") -> None:
    """Takes what may go at once, so that the next one has to wait."""
    async with asyncio.timeout(5):
        while True:
            try:
                gate.check(endpoint, SHOPPER)
                await asyncio.wait_for(gate.admit(endpoint, SHOPPER), 0.001)
            except TimeoutError:
                return


async def order_of(gate: Gate, *wanted: Priority) -> str:
    """Lets all of them ask at once; answers who got in when, as letters."""
    order: list[str] = []

    async def ask(priority: Priority) -> None:
        await gate.admit("a", priority)
        order.append(priority.value[0])

    await asyncio.gather(*(ask(priority) for priority in wanted))
    return "".join(order)


async def test_shoppers_go_before_jobs_that_came_first_and_jobs_get_one_turn_in_ten():
    gate = a_gate(account=100)
    await drained(gate)
    assert await order_of(gate, *[BACKGROUND] * 3, *[SHOPPER] * 12) == "s" * 9 + "b" + "s" * 3 + "bb"


async def test_one_busy_endpoint_does_not_hold_up_another():
    gate = a_gate(endpoint=20)
    await drained(gate)
    waiting = asyncio.create_task(gate.admit("a", SHOPPER))
    await asyncio.sleep(0)
    await asyncio.wait_for(gate.admit("b", BACKGROUND), 0.02)
    assert not waiting.done()
    await waiting


async def test_the_limit_of_the_account_holds_all_endpoints_back():
    gate = a_gate(account=50)
    await drained(gate)
    started = asyncio.get_running_loop().time()
    await asyncio.gather(*(gate.admit(endpoint, SHOPPER) for endpoint in "abcde"))
    assert asyncio.get_running_loop().time() - started >= 0.08


async def test_a_full_queue_refuses_at_once_and_each_priority_has_places_of_its_own():
    gate = a_gate(account=10, places=2)
    await drained(gate)
    waiting = [asyncio.create_task(gate.admit("a", SHOPPER)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Busy) as refused:
        await gate.admit("a", SHOPPER)
    assert (refused.value.reason, 0 < refused.value.retry_after_s <= 0.5) == ("queue_full", True)
    gate.check("a", BACKGROUND)
    await asyncio.gather(*waiting)


async def test_who_would_wait_too_long_is_refused_at_once_and_told_when_to_come_back():
    gate = a_gate(account=5, wait_s=0.3)
    await drained(gate)
    waiting = asyncio.create_task(gate.admit("a", SHOPPER))
    await asyncio.sleep(0)
    with pytest.raises(Busy) as refused:
        gate.check("a", SHOPPER)
    assert (refused.value.reason, 0.3 < refused.value.retry_after_s < 0.5) == ("too_long", True)
    await waiting
    await asyncio.sleep(refused.value.retry_after_s - 0.1)
    await gate.admit("a", SHOPPER)  # who comes back when told gets in


async def test_who_leaves_while_waiting_frees_the_place_and_takes_no_token():
    gate = a_gate(account=10, places=1)
    await drained(gate)
    leaving = asyncio.create_task(gate.admit("a", SHOPPER))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait({leaving})
    await asyncio.wait_for(gate.admit("a", SHOPPER), 0.15)  # there was a place, and the next token was not gone


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
    await asyncio.wait_for(staying, 0.1)


async def test_a_rate_that_gives_way_while_somebody_waits_does_not_keep_him_beyond_the_limit():
    gate = a_gate(account=5, wait_s=0.25)
    await drained(gate)
    waiting = asyncio.create_task(gate.admit("a", SHOPPER))
    await asyncio.sleep(0)
    gate.slow_down("a", "global-rate", rest_s=60)
    with pytest.raises(Busy):
        await waiting


@pytest.mark.parametrize(
    ("reason", "slowed"),
    [("endpoint-rate", "a"), ("endpoint-concurrency", "a"), ("global-rate", "ab"), ("resource-specific", ""), ("", "")],
)
async def test_only_a_limit_of_rate_slows_us_and_only_where_it_is(reason, slowed):
    gate = a_gate(account=100, endpoint=100)
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
