"""Webhooks of the stand-in, verified with the official package: signed, retried, doubled, shuffled, lost."""

import asyncio
import time
from collections import Counter

import pytest
import stripe

from deploy.standins.stripe.config import Config, Endpoint
from tests.integration.standins.conftest import StandIn, Start
from tests.integration.standins.receiver import Receiver

SECRET = "whsec_test_standin"


async def started(start: Start, receiver: Receiver, *steps: float, secrets: tuple[str, ...] = (SECRET,)) -> StandIn:
    endpoint = Endpoint(receiver.url, secrets)
    return await start(Config(endpoints=(endpoint,), retry_steps_s=steps or (0.05, 0.05), capture_delay_s=0.05))


async def purchase(stand_in: StandIn, method: str = "pm_card_visa", **headers: str) -> str:
    form = {
        "amount": "2500",
        "currency": "usd",
        "confirm": "true",
        "payment_method": method,
        "return_url": "http://127.0.0.1/",
    }
    _, body, _ = await stand_in.post("/v1/payment_intents", form, **headers)
    return str(body["id"] if "id" in body else body["error"]["payment_intent"]["id"])


async def customers(stand_in: StandIn, count: int) -> None:
    for _ in range(count):
        await stand_in.post("/v1/customers", {})


async def test_a_purchase_is_told_in_signed_snapshots(start: Start, receiver: Receiver) -> None:
    stand_in = await started(start, receiver)
    intent_id = await purchase(stand_in, **{"Idempotency-Key": "key-1"})
    await receiver.wait_for(4)

    assert Counter(receiver.types()) == Counter(
        ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded", "charge.updated"]
    )
    for received in receiver.got:
        stripe.WebhookSignature.verify_header(received.body, received.signature, SECRET, tolerance=300)
        assert received.user_agent == "Stripe/1.0 (+https://stripe.com/docs/webhooks)"
    events = {received.event["type"]: received.event for received in receiver.got}
    succeeded, updated = events["payment_intent.succeeded"], events["charge.updated"]
    assert (succeeded["api_version"], succeeded["livemode"]) == ("2026-09-30.endive", False)
    assert succeeded["data"]["object"]["id"] == intent_id
    assert succeeded["data"]["object"]["status"] == "succeeded"
    assert succeeded["request"]["idempotency_key"] == "key-1"
    assert succeeded["request"]["id"].startswith("req_")
    assert succeeded["pending_webhooks"] == 1
    assert events["payment_intent.created"]["data"]["object"]["status"] == "requires_confirmation"
    assert updated["request"] == {"id": None, "idempotency_key": None}
    assert updated["data"]["previous_attributes"] == {"balance_transaction": None}
    assert events["charge.succeeded"]["data"]["object"]["balance_transaction"] is None


async def test_a_changed_byte_or_another_secret_does_not_verify(start: Start, receiver: Receiver) -> None:
    stand_in = await started(start, receiver)
    await customers(stand_in, 1)
    await receiver.wait_for(1)
    body, signature = receiver.got[0].body, receiver.got[0].signature
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(body + b" ", signature, SECRET)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(body, signature, "whsec_test_other")


async def test_while_a_secret_is_rolled_both_verify(start: Start, receiver: Receiver) -> None:
    stand_in = await started(start, receiver, secrets=(SECRET, "whsec_test_new"))
    await customers(stand_in, 1)
    await receiver.wait_for(1)
    for secret in (SECRET, "whsec_test_new"):
        stripe.WebhookSignature.verify_header(receiver.got[0].body, receiver.got[0].signature, secret)
    assert receiver.got[0].signature.count("v1=") == 2


async def test_a_decline_and_an_authentication_are_told(start: Start, receiver: Receiver) -> None:
    stand_in = await started(start, receiver)
    await purchase(stand_in, "pm_card_chargeDeclined")
    await receiver.wait_for(3)
    assert set(receiver.types()) == {
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
    }
    receiver.got.clear()

    intent_id = await purchase(stand_in, "pm_card_authenticationRequired")
    await stand_in.control("POST", f"/payment_intents/{intent_id}/authenticate", {"outcome": "fail"})
    await stand_in.post(f"/v1/payment_intents/{intent_id}/cancel", {})
    await receiver.wait_for(4)
    assert set(receiver.types()) == {
        "payment_intent.created",
        "payment_intent.requires_action",
        "payment_intent.payment_failed",
        "payment_intent.canceled",
    }


async def test_a_refused_delivery_is_tried_again_with_a_fresh_signature(start: Start, receiver: Receiver) -> None:
    receiver.failures = 2
    stand_in = await started(start, receiver, 0.05, 1.1)
    await customers(stand_in, 1)
    await receiver.wait_for(3)

    assert len({received.event["id"] for received in receiver.got}) == 1
    assert receiver.got[0].signature != receiver.got[2].signature
    for received in receiver.got:
        stripe.WebhookSignature.verify_header(received.body, received.signature, SECRET, tolerance=300)
    log = await stand_in.delivered(3)
    assert [(entry["attempt"], entry["status"]) for entry in log] == [(1, 503), (2, 503), (3, 200)]
    assert (await stand_in.get("/v1/events"))[1]["data"][0]["pending_webhooks"] == 0


async def test_what_was_never_taken_is_found_by_delivery_success(start: Start, receiver: Receiver) -> None:
    receiver.status = 500
    stand_in = await started(start, receiver, 0.02)
    await customers(stand_in, 1)
    await receiver.wait_for(2)
    receiver.status = 200
    await customers(stand_in, 1)
    await stand_in.delivered(3)

    events = stand_in.client.v1.events
    missed = await events.list_async({"delivery_success": False, "types": ["customer.created"]})
    assert [event.id for event in missed.data] == [receiver.got[0].event["id"]]
    taken = await events.list_async({"delivery_success": True})
    assert [event.id for event in taken.data] == [receiver.got[2].event["id"]]
    assert len((await events.list_async({"types": ["charge.succeeded"]})).data) == 0
    event = await events.retrieve_async(receiver.got[0].event["id"])
    assert event.data.object["object"] == "customer"


async def test_events_are_doubled_by_rule(start: Start, receiver: Receiver) -> None:
    stand_in = await started(start, receiver)
    await stand_in.control("POST", "/deliveries/rules", {"duplicate_probability": 1, "duplicate_count": 2})
    await customers(stand_in, 5)
    await receiver.wait_for(15)
    await asyncio.sleep(0.05)
    assert set(Counter(received.event["id"] for received in receiver.got).values()) == {3}


async def test_events_are_shuffled_by_rule(start: Start, receiver: Receiver) -> None:
    stand_in = await started(start, receiver)
    await stand_in.control("POST", "/deliveries/rules", {"shuffle_window_s": 0.3, "seed": 7})
    await customers(stand_in, 20)
    await receiver.wait_for(20)
    made = [event["id"] for event in (await stand_in.get("/v1/events?limit=100"))[1]["data"]][::-1]
    came = [received.event["id"] for received in receiver.got]
    assert sorted(came) == sorted(made)
    assert came != made


async def test_events_are_late_by_rule(start: Start, receiver: Receiver) -> None:
    stand_in = await started(start, receiver)
    await stand_in.control("POST", "/deliveries/rules", {"delay_s": 0.3})
    began = time.monotonic()
    await customers(stand_in, 1)
    await receiver.wait_for(1)
    assert time.monotonic() - began >= 0.3


async def test_held_events_come_when_the_rule_is_lifted(start: Start, receiver: Receiver) -> None:
    stand_in = await started(start, receiver)
    await stand_in.control("POST", "/deliveries/rules", {"hold": True})
    await customers(stand_in, 3)
    await asyncio.sleep(0.15)
    assert receiver.got == []
    assert (await stand_in.control("GET", "/state"))["deliveries_waiting"] == 3
    await stand_in.control("DELETE", "/deliveries/rules")
    await receiver.wait_for(3)


async def test_lost_events_stay_lost_until_they_are_resent(start: Start, receiver: Receiver) -> None:
    stand_in = await started(start, receiver)
    await stand_in.control("POST", "/deliveries/rules", {"lose_next": 2})
    await customers(stand_in, 3)
    await receiver.wait_for(1)
    await stand_in.until("/state", lambda state: state["deliveries_waiting"] == 0)
    assert len(receiver.got) == 1
    missed = (await stand_in.get("/v1/events?delivery_success=false"))[1]["data"]
    assert len(missed) == 2

    for event in missed:
        await stand_in.control("POST", f"/events/{event['id']}/resend")
    await receiver.wait_for(3)
    await stand_in.until("/state", lambda state: state["deliveries_waiting"] == 0)
    assert (await stand_in.get("/v1/events?delivery_success=false"))[1]["data"] == []


async def test_a_lost_attempt_is_made_again(start: Start, receiver: Receiver) -> None:
    stand_in = await started(start, receiver)
    await stand_in.control("POST", "/deliveries/rules", {"fail_next": 1})
    await customers(stand_in, 1)
    log = await stand_in.delivered(2)
    assert [(entry["status"], entry["error"]) for entry in log] == [
        (None, "lost on the way by rule"),
        (200, None),
    ]


async def test_endpoints_are_set_later_and_never_tell_their_secrets(stand_in: StandIn, receiver: Receiver) -> None:
    await customers(stand_in, 1)
    shown = await stand_in.control("POST", "/webhook_endpoints", {"url": receiver.url, "secrets": [SECRET]})
    assert shown["webhook_endpoints"] == [
        {"id": shown["webhook_endpoints"][0]["id"], "url": receiver.url, "events": ["*"], "secrets": 1}
    ]
    await customers(stand_in, 1)
    await receiver.wait_for(1)
    await asyncio.sleep(0.05)
    assert len(receiver.got) == 1


async def test_a_replay_tells_nothing_again(start: Start, receiver: Receiver) -> None:
    stand_in = await started(start, receiver)
    for _ in range(3):
        await stand_in.post("/v1/customers", {}, **{"Idempotency-Key": "k"})
    await receiver.wait_for(1)
    await asyncio.sleep(0.1)
    assert receiver.types() == ["customer.created"]


async def test_a_receiver_that_is_away_hears_of_everything_when_it_is_back(start: Start, receiver: Receiver) -> None:
    stand_in = await start(Config(endpoints=(Endpoint("http://127.0.0.1:9/nobody", (SECRET,)),), retry_steps_s=(0.2,)))
    await customers(stand_in, 1)
    log = await stand_in.delivered(1)
    assert (log[0]["status"], log[0]["error"]) == (None, "ClientConnectorError")
    event_id = log[0]["event"]
    await stand_in.control("POST", "/webhook_endpoints", {"url": receiver.url, "secrets": [SECRET]})
    await stand_in.control("POST", f"/events/{event_id}/resend", {"copies": 2})
    await receiver.wait_for(2)
    assert {received.event["id"] for received in receiver.got} == {event_id}
