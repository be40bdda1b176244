"""Signed-in shoppers: a card is kept with consent, shown, paid with, let go of, and never anybody else's."""

import asyncio
import json
import time
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from services.checkout.actions import attempts
from services.checkout.app import make
from services.checkout.domain import Shopper
from shared.ids import uuid7
from tests.integration.checkout.conftest import PATIENCE_S, SECRET, SHOP, Checkout, an_order, serving, settings_for

PRIVATE = Ed25519PrivateKey.generate()
KEYS = json.dumps({"keys": [{**json.loads(OKPAlgorithm.to_jwk(PRIVATE.public_key())), "kid": "a", "alg": "EdDSA"}]})
BACK = {"return_url": f"{SHOP}/order"}
AS_STRIPES_OWNER = {"Authorization": f"Bearer {SECRET}"}
CONSENT = {"save_payment_method": True, "consent_version": "2026-11"}


@pytest.fixture
async def members(clean, pool, amqp_url, stripe, http):
    """Checkout of a shop with accounts."""
    given = {"cors_origins": (SHOP,), "customer_keys": KEYS, "attempt_lease_s": 0.5}
    async with serving(make(settings_for(clean, amqp_url, stripe.url, **given)), http) as running:
        yield running


def signed_in(who: str = "ada", **changes) -> dict[str, str]:
    now = int(time.time())
    claims = {"sub": who, "aud": "kct-checkout", "iat": now, "exp": now + 300, **changes}
    return {"Authorization": f"Bearer {jwt.encode(claims, PRIVATE, 'EdDSA', {'kid': 'a'})}"}


async def order(members: Checkout, who: str = "ada", key: str | None = None, **body):
    headers = {"Idempotency-Key": key or str(uuid4()), **signed_in(who)}
    async with members.http.post(f"{members.url}/v1/orders", json=an_order(**body), headers=headers) as response:
        return response.status, await response.json()


async def cards(members: Checkout, who: str = "ada"):
    status, body = await members.get("/v1/payment-methods", headers=signed_in(who))
    assert status == 200, body
    return body["payment_methods"]


async def delete(members: Checkout, card: str, who: str = "ada") -> int:
    async with members.http.delete(f"{members.url}/v1/payment-methods/{card}", headers=signed_in(who)) as response:
        return response.status


async def with_a_card(members: Checkout, stripe, who: str = "ada", card: str = "pm_card_visa") -> str:
    """Orders, pays and lets the card be kept; its id."""
    _, token = await stripe.post("test_helpers/confirmation_tokens", payment_method=card)
    status, placed = await order(members, who, confirmation_token=token["id"], **BACK, **CONSENT)
    assert (status, placed["payment_status"]) == (201, "succeeded"), placed
    return (await cards(members, who))[0]["id"]


async def customers_at(stripe) -> int:
    return (await stripe.control("GET", "state"))["customers"]


async def test_a_card_is_kept_with_the_shoppers_consent_and_pays_the_next_order(members, stripe, owner):
    card = await with_a_card(members, stripe)
    [kept] = await cards(members)
    assert kept.pop("exp_year") > datetime.now(UTC).year
    assert kept == {"id": card, "brand": "visa", "last4": "4242", "exp_month": 12}
    consent = await owner.fetchrow(
        "SELECT c.version, c.given_at = o.placed_at AS is_then, c.customer_id = o.customer_id AS is_his, p.reference"
        " FROM checkout.card_consents c JOIN checkout.orders o ON o.id = c.order_id"
        " JOIN checkout.customers p ON p.id = c.customer_id"
    )
    assert tuple(consent) == ("2026-11", True, True, "ada")

    status, placed = await order(members, payment_method=card, **BACK)
    assert (status, placed["payment_status"], placed["order"]["payment"]) == (201, "succeeded", "paid")
    assert await owner.fetchval("SELECT count(*) FROM checkout.card_consents") == 1
    assert len(await cards(members)) == await customers_at(stripe) == 1


async def test_a_card_is_kept_as_well_when_the_browser_confirms(members, stripe):
    _, placed = await order(members, **CONSENT)
    assert await cards(members) == []
    await stripe.pay(placed["payment_intent_id"], "pm_card_mastercard")
    assert [card["brand"] for card in await cards(members)] == ["mastercard"]


async def test_without_consent_nothing_is_kept(members, stripe, owner):
    _, placed = await order(members)
    await stripe.pay(placed["payment_intent_id"])
    assert (await cards(members), await customers_at(stripe)) == ([], 0)
    assert await owner.fetchval("SELECT customer_id FROM checkout.orders") == Shopper("ada").id


async def test_nobody_sees_uses_or_deletes_the_card_of_another(members, stripe):
    card = await with_a_card(members, stripe)
    assert await cards(members, "eve") == []
    assert await delete(members, card, "eve") == 404
    for who in ("eve", "eve with a card"):
        if who != "eve":
            await with_a_card(members, stripe, who)
        status, problem = await order(members, who, payment_method=card, **BACK)
        assert (status, problem["code"], problem["errors"][0]["field"]) == (
            422, "payment_method_unknown", "payment_method"
        )  # fmt: skip
    assert [each["id"] for each in await cards(members)] == [card]


async def test_a_card_that_was_deleted_is_gone_for_good(members, stripe):
    card = await with_a_card(members, stripe)
    assert await delete(members, card) == 204
    assert await cards(members) == []
    assert await delete(members, card) == 404
    assert (await order(members, payment_method=card, **BACK))[1]["code"] == "payment_method_unknown"


@pytest.mark.parametrize("kind", ["drop_after", "error_after"])
async def test_a_deletion_of_unknown_outcome_is_finished_by_asking_again(members, stripe, owner, kind):
    card = await with_a_card(members, stripe)
    await stripe.fault(kind=kind, method="POST", path="/v1/payment_methods/*/detach", times=3)
    status = await delete(members, card)
    async with asyncio.timeout(PATIENCE_S):
        while status == 503:
            await asyncio.sleep(0.1)
            status = await delete(members, card)
    assert status in (204, 404)
    assert await cards(members) == []
    assert await owner.fetchval("SELECT count(*) FROM checkout.customer_attempts WHERE state = 'unknown'") == 0


async def test_a_saved_card_pays_once_though_the_answer_is_lost_and_the_card_deleted_meanwhile(members, stripe):
    card, key = await with_a_card(members, stripe), str(uuid4())
    await stripe.fault(kind="drop_after", method="POST", path="/v1/payment_intents", times=3)
    status, placed = await order(members, key=key, payment_method=card, **BACK)
    assert await delete(members, card) == 204
    async with asyncio.timeout(PATIENCE_S):
        while status != 201:
            await asyncio.sleep(0.1)
            status, placed = await order(members, key=key, payment_method=card, **BACK)
    assert placed["payment_status"] == "succeeded"
    assert len([intent for intent in await stripe.intents() if intent["status"] == "succeeded"]) == 2


async def test_a_declined_saved_card_leaves_an_order_that_another_card_pays(members, stripe, owner):
    await with_a_card(members, stripe)
    customer = await owner.fetchval("SELECT stripe_customer_id FROM checkout.customers")
    _, declining = await stripe.post("payment_methods/pm_card_chargeCustomerFail/attach", customer=customer)
    status, placed = await order(members, payment_method=declining["id"], **BACK)
    assert (status, placed["payment_status"], placed["payment_failure"]) == (
        201, "requires_payment_method", "issuer_declined"
    )  # fmt: skip
    assert (await stripe.pay(placed["payment_intent_id"]))[0] == 200


async def test_five_orders_at_once_make_one_customer_at_stripe(members, stripe, owner):
    answers = await asyncio.gather(*(order(members, **CONSENT) for _ in range(5)))
    assert {status for status, _ in answers} == {201}
    assert await customers_at(stripe) == await owner.fetchval("SELECT count(*) FROM checkout.customers") == 1
    customers = {intent["customer"] for intent in await stripe.intents()}
    assert customers == {await owner.fetchval("SELECT stripe_customer_id FROM checkout.customers")}


async def test_a_customer_who_was_deleted_at_stripe_gets_a_successor(members, stripe, owner):
    await with_a_card(members, stripe)
    gone = await owner.fetchval("SELECT stripe_customer_id FROM checkout.customers")
    async with stripe.http.delete(f"{stripe.url}/v1/customers/{gone}", headers=AS_STRIPES_OWNER) as response:
        assert response.status == 200
    assert await cards(members) == []
    await with_a_card(members, stripe)
    assert await owner.fetchval("SELECT stripe_customer_id FROM checkout.customers") != gone


async def test_without_the_lock_and_the_open_attempt_there_would_be_two(members, stripe):
    """What the test above guards against: each order asks under a key of its own."""
    wanted = [attempts.to_create_customer(Shopper("ada"), uuid7(), datetime.now(UTC)) for _ in range(2)]
    made = await asyncio.gather(*(members.till.stripe.customers.create(attempt) for attempt in wanted))
    assert len(set(made)) == await customers_at(stripe) == 2


@pytest.mark.parametrize("kind", ["drop_after", "error_after"])
async def test_an_order_waits_for_its_customer_and_the_same_key_goes_on(members, stripe, owner, kind):
    await stripe.fault(kind=kind, method="POST", path="/v1/customers", times=3)
    key = str(uuid4())
    status, _ = await order(members, key=key, **CONSENT)
    if status != 201:
        assert await owner.fetchval("SELECT count(*) FROM checkout.orders") == 0
    async with asyncio.timeout(PATIENCE_S):
        while status != 201:
            await asyncio.sleep(0.1)
            status, _ = await order(members, key=key, **CONSENT)
    assert await owner.fetchval("SELECT count(*) FROM checkout.orders") == 1
    assert await owner.fetchval("SELECT count(*) FROM checkout.customer_attempts WHERE state = 'succeeded'") == 1


async def test_who_is_not_signed_in_is_told_so(members):
    assert (await members.get("/v1/payment-methods"))[1]["code"] == "sign_in_required"
    status, problem = await members.place(an_order(**CONSENT))
    assert (status, problem["code"]) == (401, "sign_in_required")
    late = signed_in(iat=int(time.time()) - 600, exp=int(time.time()) - 300)
    status, problem = await members.get("/v1/payment-methods", headers=late)
    assert (status, problem["code"]) == (401, "sign_in_rejected")
    assert (await members.place())[0] == 201


async def test_consent_is_to_a_version_of_a_text(members, owner):
    bad = [
        ("consent_version", {"save_payment_method": True}),
        ("consent_version", {**CONSENT, "payment_method": "pm_1", **BACK}),
        ("return_url", {"payment_method": "pm_1"}),
        ("payment_method", {"payment_method": "pm_1", "confirmation_token": "ctoken_1", **BACK}),
        ("payment_method", {"payment_method": "card_1", **BACK}),
    ]
    for field, body in bad:
        status, problem = await order(members, **body)
        assert (status, problem["errors"][0]["field"]) == (422, field), body
    assert await owner.fetchval("SELECT count(*) FROM checkout.customers") == 0


async def test_a_request_sees_one_shoppers_rows_whatever_its_query_says(members, stripe):
    await with_a_card(members, stripe)
    await with_a_card(members, stripe, "eve")
    for table in ("customers", "card_consents", "customer_attempts"):
        async with members.till.pool.request(customer_id=Shopper("ada").id) as conn:
            assert await conn.fetchval(f"SELECT count(*) FROM {table}") == 1
        async with members.till.pool.request(order_id=UUID(int=0)) as conn:
            assert await conn.fetchval(f"SELECT count(*) FROM {table}") == 0
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with members.till.pool.request(customer_id=Shopper("ada").id) as conn:
            await conn.execute("INSERT INTO customers (id, reference) VALUES ($1, 'eve 2')", Shopper("eve 2").id)
