"""Idempotency keys and faults: whatever goes wrong on the wire, one key has one effect."""

import asyncio
from typing import Any

import aiohttp
import pytest
import stripe

from tests.integration.standins.conftest import StandIn, Start

PURCHASE = {
    "amount": "2500",
    "currency": "usd",
    "confirm": "true",
    "payment_method": "pm_card_visa",
    "capture_method": "automatic",  # booked at once: what is told a moment later would be counted, too
    "automatic_payment_methods[enabled]": "true",
    "automatic_payment_methods[allow_redirects]": "never",
    "metadata[attempt_id]": "attempt-1",
}
PATH = "/v1/payment_intents"


async def buy(stand_in: StandIn, key: str = "key-1", **changes: str) -> tuple[int, Any, Any]:
    return await stand_in.post(PATH, {**PURCHASE, **changes}, **{"Idempotency-Key": key})


async def counts(stand_in: StandIn) -> tuple[int, int, int]:
    state = await stand_in.control("GET", "/state")
    return state["payment_intents"], state["charges"], state["events"]


async def fault(stand_in: StandIn, kind: str, **more: Any) -> None:
    await stand_in.control("POST", "/faults", {"kind": kind, "method": "POST", "path": PATH, **more})


async def test_a_repeated_key_gets_the_first_answer_and_no_second_effect(stand_in: StandIn) -> None:
    _, first, first_headers = await buy(stand_in)
    before = await counts(stand_in)

    status, second, headers = await buy(stand_in)

    assert (status, second) == (200, first)
    assert headers["Idempotent-Replayed"] == "true"
    assert headers["Original-Request"] == first_headers["Request-Id"] != headers["Request-Id"]
    assert "Idempotent-Replayed" not in first_headers
    assert await counts(stand_in) == before == (1, 1, 3)


async def test_a_repeated_decline_is_replayed(stand_in: StandIn) -> None:
    first = await buy(stand_in, payment_method="pm_card_chargeDeclined")
    second = await buy(stand_in, payment_method="pm_card_chargeDeclined")
    assert (first[0], second[0], second[1]) == (402, 402, first[1])
    assert (await counts(stand_in))[:2] == (1, 1)


async def test_other_parameters_on_the_same_key_are_an_idempotency_error(stand_in: StandIn) -> None:
    await buy(stand_in)
    status, body, _ = await buy(stand_in, amount="2501")
    assert (status, body["error"]["type"]) == (400, "idempotency_error")
    status, body, _ = await stand_in.post("/v1/customers", {}, **{"Idempotency-Key": "key-1"})
    assert (status, body["error"]["type"]) == (400, "idempotency_error")
    assert (await buy(stand_in))[0] == 200


async def test_the_official_client_names_it_an_idempotency_error(stand_in: StandIn) -> None:
    customers = stand_in.client.v1.customers
    await customers.create_async({"name": "Ann"}, {"idempotency_key": "k"})
    with pytest.raises(stripe.IdempotencyError):
        await customers.create_async({"name": "Bob"}, {"idempotency_key": "k"})


async def test_one_of_many_at_once_wins_and_the_others_hear_409(stand_in: StandIn) -> None:
    await fault(stand_in, "latency", delay_s=1.5)

    answers = await asyncio.gather(*(buy(stand_in) for _ in range(20)))

    statuses = [status for status, _, _ in answers]
    assert (statuses.count(200), statuses.count(409)) == (1, 19)
    refused = next(body for status, body, _ in answers if status == 409)
    assert refused["error"]["code"] == "idempotency_key_in_use"
    assert (await buy(stand_in))[2]["Idempotent-Replayed"] == "true"
    assert (await counts(stand_in))[:2] == (1, 1)


async def test_a_failed_validation_is_not_kept(stand_in: StandIn) -> None:
    status, body, _ = await buy(stand_in, amount="ten")
    assert (status, body["error"]["code"], body["error"]["param"]) == (
        400,
        "parameter_invalid_integer",
        "amount",
    )
    assert (await buy(stand_in))[0] == 200


async def test_a_key_of_256_characters_is_refused(stand_in: StandIn) -> None:
    assert (await buy(stand_in, key="k" * 256))[0] == 400
    assert (await buy(stand_in, key="k" * 255))[0] == 200


async def test_a_500_after_the_effect_is_replayed_and_charges_once(stand_in: StandIn) -> None:
    await fault(stand_in, "error_after")

    first, again = await buy(stand_in), await buy(stand_in)

    assert (first[0], again[0], again[2]["Idempotent-Replayed"]) == (500, 500, "true")
    assert first[1]["error"]["type"] == "api_error"
    assert (await counts(stand_in))[:2] == (1, 1)
    found = await stand_in.control("GET", "/payment_intents")
    assert found["payment_intents"][0]["metadata"] == {"attempt_id": "attempt-1"}


async def test_a_500_of_something_in_between_leaves_the_result_under_the_key(stand_in: StandIn) -> None:
    await fault(stand_in, "error_after", stored="result")
    first, again = await buy(stand_in), await buy(stand_in)
    assert (first[0], again[0], again[1]["status"]) == (500, 200, "succeeded")
    assert (await counts(stand_in))[:2] == (1, 1)


@pytest.mark.parametrize(("kind", "status"), [("error_before", 500), ("rate_limit", 429), ("lock_timeout", 429)])
async def test_a_refusal_before_the_effect_leaves_the_key_free(stand_in: StandIn, kind: str, status: int) -> None:
    await fault(stand_in, kind)
    first = await buy(stand_in)
    assert first[0] == status
    assert await counts(stand_in) == (0, 0, 0)
    assert (await buy(stand_in))[0] == 200
    assert (first[2].get("Stripe-Rate-Limited-Reason") is not None) == (kind == "rate_limit")
    assert first[2].get("Stripe-Should-Retry") == ("true" if kind == "lock_timeout" else None)


@pytest.mark.parametrize("kind", ["cut_after", "cut_before"])
async def test_a_cut_body_and_a_retry_make_one_intent(stand_in: StandIn, kind: str) -> None:
    await fault(stand_in, kind)
    with pytest.raises(aiohttp.ClientPayloadError):
        await buy(stand_in)
    assert (await counts(stand_in))[0] == (1 if kind == "cut_after" else 0)

    status, body, headers = await buy(stand_in)

    assert (status, body["status"]) == (200, "succeeded")
    assert headers.get("Idempotent-Replayed") == ("true" if kind == "cut_after" else None)
    assert (await counts(stand_in))[:2] == (1, 1)


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
async def test_a_dropped_connection_and_a_retry_make_one_intent(stand_in: StandIn, kind: str) -> None:
    await fault(stand_in, kind)
    with pytest.raises(aiohttp.ClientConnectionError):
        await buy(stand_in)
    assert (await counts(stand_in))[0] == (1 if kind == "drop_after" else 0)
    assert (await buy(stand_in))[0] == 200
    assert (await counts(stand_in))[:2] == (1, 1)


async def test_the_official_aiohttp_client_leaks_a_cut_body(stand_in: StandIn) -> None:
    """The reason why the product wraps it: neither a Stripe error nor a retry."""
    await stand_in.control("POST", "/faults", {"kind": "cut_after", "path": "/v1/customers"})
    with pytest.raises(aiohttp.ClientPayloadError):
        await stand_in.client.v1.customers.create_async({"name": "Ann"}, {"idempotency_key": "k"})
    ann = await stand_in.client.v1.customers.create_async({"name": "Ann"}, {"idempotency_key": "k"})
    assert ann.name == "Ann"
    assert (await stand_in.control("GET", "/state"))["customers"] == 1


async def test_the_official_client_outlives_a_dropped_connection(start: Start) -> None:
    stand_in = await start(retries=1)
    await stand_in.control("POST", "/faults", {"kind": "drop_after", "path": "/v1/customers"})
    await stand_in.client.v1.customers.create_async({"name": "Ann"})
    assert (await stand_in.control("GET", "/state"))["customers"] == 1


async def test_a_client_that_hung_up_finds_its_result_under_the_key(stand_in: StandIn) -> None:
    await fault(stand_in, "latency", delay_s=1.5)
    buying = asyncio.create_task(buy(stand_in))
    await stand_in.struck()
    buying.cancel()
    assert (await buy(stand_in))[0] == 409
    async with asyncio.timeout(30):
        while (again := await buy(stand_in))[0] == 409:
            await asyncio.sleep(0.05)
    assert again[2]["Idempotent-Replayed"] == "true"
    assert (await counts(stand_in))[:2] == (1, 1)


async def test_a_fault_hits_the_requests_that_its_rule_names(stand_in: StandIn) -> None:
    await fault(stand_in, "error_before", nth=2, times=2)
    assert [(await buy(stand_in, key=f"k{n}"))[0] for n in range(5)] == [200, 500, 500, 200, 200]
    rule = (await stand_in.control("GET", "/faults"))["faults"][0]
    assert (rule["seen"], rule["hits"]) == (5, 2)
    await stand_in.control("DELETE", f"/faults/{rule['id']}")
    assert (await stand_in.control("GET", "/faults"))["faults"] == []
