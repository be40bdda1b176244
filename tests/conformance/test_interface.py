"""How the API is spoken: keys, limits, pages, expansion, search, events, webhook endpoints, the clock."""

import asyncio

import pytest
import stripe

from deploy.standins.stripe.config import Config
from tests.conformance.stories import advance, disputed, paid, refused, told_types
from tests.integration.standins.conftest import StandIn, Start
from tests.integration.standins.receiver import Receiver

DAY_S = 86_400
CUSTOMERS = {"path": "/v1/customers"}


async def made(stand_in: StandIn, count: int) -> list[str]:
    customers = stand_in.client.v1.customers
    return [(await customers.create_async({"name": f"n{number}"})).id for number in range(count)]


async def test_one_key_one_effect(stand_in: StandIn) -> None:
    customers = stand_in.client.v1.customers
    first = await customers.create_async({}, {"idempotency_key": "k"})
    again = await customers.create_async({}, {"idempotency_key": "k"})
    assert first.id == again.id
    assert await told_types(stand_in) == ["customer.created"]


@pytest.mark.assumes("A-02")
async def test_a_replay_says_so(stand_in: StandIn) -> None:
    headers = {"Idempotency-Key": "k"}
    await stand_in.post("/v1/customers", {}, **headers)
    assert (await stand_in.post("/v1/customers", {}, **headers))[2]["Idempotent-Replayed"] == "true"


async def test_a_key_belongs_to_its_parameters(stand_in: StandIn) -> None:
    customers = stand_in.client.v1.customers
    await customers.create_async({"name": "a"}, {"idempotency_key": "k"})
    error = await refused(customers.create_async({"name": "b"}, {"idempotency_key": "k"}))
    assert isinstance(error, stripe.IdempotencyError)


async def test_a_stored_500_is_replayed(stand_in: StandIn) -> None:
    await stand_in.control("POST", "/faults", {"kind": "error_after", **CUSTOMERS})
    for _ in range(2):
        assert (await stand_in.post("/v1/customers", {}, **{"Idempotency-Key": "k"}))[0] == 500


async def test_a_refused_form_keeps_no_key(stand_in: StandIn) -> None:
    headers = {"Idempotency-Key": "k"}
    assert (await stand_in.post("/v1/customers", {"colour": "red"}, **headers))[0] == 400
    assert (await stand_in.post("/v1/customers", {}, **headers))[0] == 200


@pytest.mark.assumes("A-01")
async def test_a_key_in_use_is_a_conflict(stand_in: StandIn) -> None:
    await stand_in.control("POST", "/faults", {"kind": "latency", "delay_s": 1, **CUSTOMERS})
    calls = [stand_in.post("/v1/customers", {}, **{"Idempotency-Key": "k"}) for _ in range(2)]
    assert sorted(answer[0] for answer in await asyncio.gather(*calls)) == [200, 409]


@pytest.mark.assumes("A-47")
async def test_a_key_is_forgotten_after_a_day(stand_in: StandIn) -> None:
    customers = stand_in.client.v1.customers
    first = await customers.create_async({}, {"idempotency_key": "k"})
    await advance(stand_in, DAY_S + 5)
    assert (await customers.create_async({"name": "other"}, {"idempotency_key": "k"})).id != first.id


@pytest.mark.assumes("A-23")
@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ({"requests_per_s": 1}, "global-rate"),
        ({"requests_per_s_and_endpoint": 1}, "endpoint-rate"),
        ({"requests_at_once": 1}, "global-concurrency"),
    ],
)
async def test_a_limit_names_its_reason(stand_in: StandIn, limit: dict[str, int], reason: str) -> None:
    await stand_in.control("POST", "/limits", limit)
    await stand_in.control("POST", "/faults", {"kind": "latency", "delay_s": 0.1, "times": None, **CUSTOMERS})
    answers = await asyncio.gather(*(stand_in.post("/v1/customers", {}) for _ in range(12)))
    reasons = {headers.get("Stripe-Rate-Limited-Reason") for status, _, headers in answers if status == 429}
    assert reasons == {reason}


@pytest.mark.assumes("A-23")
async def test_one_intent_is_updated_so_often_in_an_hour(start: Start) -> None:
    stand_in = await start(Config(updates_per_h_and_intent=2))
    intents = stand_in.client.v1.payment_intents
    intent = await intents.create_async({"amount": 500, "currency": "usd"})
    for amount in (501, 502):
        await intents.update_async(intent.id, {"amount": amount})
    error = await refused(intents.update_async(intent.id, {"amount": 503}))
    assert (error.headers or {})["Stripe-Rate-Limited-Reason"] == "resource-specific"
    await advance(stand_in, 3601)
    assert (await intents.update_async(intent.id, {"amount": 504})).amount == 504


async def test_pages_go_forward(stand_in: StandIn) -> None:
    ids = await made(stand_in, 5)
    page = await stand_in.client.v1.customers.list_async({"limit": 2, "starting_after": ids[4]})
    assert ([one.id for one in page.data], page.has_more) == ([ids[3], ids[2]], True)


async def test_pages_go_back(stand_in: StandIn) -> None:
    ids = await made(stand_in, 5)
    page = await stand_in.client.v1.customers.list_async({"limit": 2, "ending_before": ids[1]})
    assert ([one.id for one in page.data], page.has_more) == ([ids[3], ids[2]], True)


async def test_pages_are_walked_by_the_package(stand_in: StandIn) -> None:
    ids = await made(stand_in, 7)
    page = await stand_in.client.v1.customers.list_async({"limit": 3})
    assert [one.id async for one in page.auto_paging_iter()] == ids[::-1]


@pytest.mark.parametrize("limit", [0, 101])
async def test_a_page_holds_1_to_100(stand_in: StandIn, limit: int) -> None:
    assert (await refused(stand_in.client.v1.customers.list_async({"limit": limit}))).http_status == 400


async def test_four_levels_are_expanded(stand_in: StandIn) -> None:
    customer = await stand_in.client.v1.customers.create_async({})
    intent = await paid(stand_in, customer=customer.id)
    await stand_in.client.v1.refunds.create_async({"payment_intent": intent.id})
    path = "payment_intent.latest_charge.payment_intent.customer"
    (refund,) = (await stand_in.client.v1.refunds.list_async({"expand": [f"data.{path[: path.rfind('.')]}"]})).data
    assert refund.payment_intent.latest_charge.payment_intent.id == intent.id  # type: ignore[union-attr]
    refund = await stand_in.client.v1.refunds.retrieve_async(refund.id, {"expand": [path]})
    assert refund.payment_intent.latest_charge.payment_intent.customer.id == customer.id  # type: ignore[union-attr]


async def test_five_levels_are_not(stand_in: StandIn) -> None:
    intent = await paid(stand_in)
    path = "latest_charge.payment_intent.latest_charge.payment_intent.customer"
    calling = stand_in.client.v1.payment_intents.retrieve_async(intent.id, {"expand": [path]})
    assert (await refused(calling)).http_status == 400


async def test_what_cannot_be_expanded_is_refused_before_any_effect(stand_in: StandIn) -> None:
    assert (await refused(paid(stand_in, expand=["colour"]))).http_status == 400
    assert (await stand_in.client.v1.payment_intents.list_async()).data == []


async def test_a_charge_shows_its_refunds_when_asked(stand_in: StandIn) -> None:
    intent = await paid(stand_in)
    refund = await stand_in.client.v1.refunds.create_async({"payment_intent": intent.id})
    charge = await stand_in.client.v1.charges.retrieve_async(str(intent.latest_charge), {"expand": ["refunds"]})
    assert charge.refunds is not None
    assert [one.id for one in charge.refunds.data] == [refund.id]


async def found(stand_in: StandIn, query: str) -> list[str]:
    page = await stand_in.client.v1.payment_intents.search_async({"query": query})
    return [one.id for one in page.data]


async def test_search_lags_behind(stand_in: StandIn) -> None:
    await stand_in.control("POST", "/search", {"lag_s": 60})
    intent = await paid(stand_in, metadata={"order_id": "7"})
    assert await found(stand_in, "metadata['order_id']:'7'") == []
    await advance(stand_in, 61)
    assert await found(stand_in, "metadata['order_id']:'7'") == [intent.id]


@pytest.mark.assumes("A-41")
async def test_search_joins_by_and_negates_and_compares(stand_in: StandIn) -> None:
    await stand_in.control("POST", "/search", {"lag_s": 0})
    one = await paid(stand_in, metadata={"a": "x"})
    other = await stand_in.client.v1.payment_intents.create_async(
        {"amount": 900, "currency": "usd", "metadata": {"a": "x"}}
    )
    assert await found(stand_in, "metadata['a']:'x' AND status:'succeeded'") == [one.id]
    assert await found(stand_in, "metadata['a']:'x' -status:'succeeded'") == [other.id]
    assert await found(stand_in, f"amount>1000 AND created>={one.created}") == [one.id]
    assert await found(stand_in, "metadata['a']:'y'") == []
    assert (
        await refused(stand_in.client.v1.payment_intents.search_async({"query": "colour:'red'"}))
    ).http_status == 400


async def test_search_has_pages(stand_in: StandIn) -> None:
    await stand_in.control("POST", "/search", {"lag_s": 0})
    await stand_in.control("POST", "/seed", {"payments": 5})
    first = await stand_in.client.v1.payment_intents.search_async({"query": "status:'succeeded'", "limit": 3})
    assert (len(first.data), first.has_more) == (3, True)
    assert len([one async for one in first.auto_paging_iter()]) == 5


async def test_events_reach_back_thirty_days(stand_in: StandIn) -> None:
    await made(stand_in, 1)
    await advance(stand_in, 31 * DAY_S)
    assert await told_types(stand_in) == []


async def test_an_event_is_frozen(stand_in: StandIn) -> None:
    (customer,) = await made(stand_in, 1)
    await stand_in.client.v1.customers.update_async(customer, {"name": "later"})
    page = await stand_in.client.v1.events.list_async({"type": "customer.created"})
    assert page.data[0].data.object["name"] == "n0"


async def listening(stand_in: StandIn, receiver: Receiver) -> stripe.WebhookEndpoint:
    return await stand_in.client.v1.webhook_endpoints.create_async(
        {"url": receiver.url, "enabled_events": ["customer.created"]}
    )


async def test_an_endpoint_gets_what_it_asked_for_signed_with_its_secret(stand_in: StandIn, receiver: Receiver) -> None:
    endpoint = await listening(stand_in, receiver)
    await paid(stand_in)
    await made(stand_in, 1)
    await receiver.wait_for(1)
    assert receiver.types() == ["customer.created"]
    assert endpoint.secret is not None
    stripe.WebhookSignature.verify_header(receiver.got[0].body, receiver.got[0].signature, endpoint.secret, 300)


async def test_a_secret_is_told_once(stand_in: StandIn, receiver: Receiver) -> None:
    endpoint = await listening(stand_in, receiver)
    again = await stand_in.client.v1.webhook_endpoints.retrieve_async(endpoint.id)
    listed = await stand_in.client.v1.webhook_endpoints.list_async()
    assert "secret" not in again
    assert "secret" not in listed.data[0]


@pytest.mark.assumes("A-45")
async def test_a_disabled_endpoint_hears_nothing(stand_in: StandIn, receiver: Receiver) -> None:
    endpoint = await listening(stand_in, receiver)
    update = stand_in.client.v1.webhook_endpoints.update_async
    assert (await update(endpoint.id, {"disabled": True})).status == "disabled"
    await made(stand_in, 1)
    assert (await update(endpoint.id, {"disabled": False})).status == "enabled"
    await made(stand_in, 1)
    await receiver.wait_for(1)
    await asyncio.sleep(0.05)
    assert len(receiver.got) == 1


async def test_a_deleted_endpoint_is_gone(stand_in: StandIn, receiver: Receiver) -> None:
    endpoint = await listening(stand_in, receiver)
    assert (await stand_in.client.v1.webhook_endpoints.delete_async(endpoint.id)).deleted is True
    assert (await stand_in.client.v1.webhook_endpoints.list_async()).data == []


async def test_a_rolled_secret_overlaps_with_the_old_one(stand_in: StandIn, receiver: Receiver) -> None:
    endpoint = await listening(stand_in, receiver)
    rolled = await stand_in.control("POST", f"/webhook_endpoints/{endpoint.id}/rotate", {"overlap_s": 3600})
    await made(stand_in, 1)
    await receiver.wait_for(1)
    for secret in (str(endpoint.secret), rolled["secret"]):
        stripe.WebhookSignature.verify_header(receiver.got[0].body, receiver.got[0].signature, secret, 300)
    await advance(stand_in, 3601)
    await made(stand_in, 1)
    await receiver.wait_for(2)
    assert receiver.got[1].signature.count("v1=") == 1


async def test_what_was_not_taken_is_found_by_delivery_success(start: Start, receiver: Receiver) -> None:
    stand_in = await start(Config(retry_steps_s=()))
    await listening(stand_in, receiver)
    receiver.status = 500
    await made(stand_in, 1)
    await receiver.wait_for(1)
    missed = await stand_in.client.v1.events.list_async({"delivery_success": False})
    assert [event.type for event in missed.data] == ["customer.created"]


async def test_time_is_put_forward(stand_in: StandIn) -> None:
    before = (await paid(stand_in)).created
    await advance(stand_in, DAY_S)
    assert (await paid(stand_in)).created >= before + DAY_S


async def test_a_reset_forgets_but_keeps_the_endpoints(stand_in: StandIn, receiver: Receiver) -> None:
    await listening(stand_in, receiver)
    await disputed(stand_in)
    await stand_in.control("POST", "/reset", {"seed": 7})
    assert (await stand_in.client.v1.disputes.list_async()).data == []
    assert len((await stand_in.client.v1.webhook_endpoints.list_async()).data) == 1


async def test_a_live_key_is_refused(stand_in: StandIn) -> None:
    assert (await stand_in.get("/v1/customers", "sk_live_x"))[0] == 401


async def test_every_answer_is_marked(stand_in: StandIn) -> None:
    assert (await stand_in.post("/v1/customers", {}))[2]["Stand-In"] == "1"
