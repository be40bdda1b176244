"""Placing an order: the price is ours, the answer is the same however often it is asked for."""

import asyncio
from uuid import uuid4

import pytest

from tests.integration.checkout.conftest import SKU, an_order


async def test_products_are_listed_with_prices_and_what_is_left(checkout):
    status, body = await checkout.get("/v1/products")
    assert status == 200
    assert len(body["products"]) >= 12
    ties = next(product for product in body["products"] if product["id"] == "silk-tie")
    assert ties["variants"][0] == {
        "sku": SKU, "size": "One size", "colour": "Navy", "unit_price_minor": 6500, "available": 60
    }  # fmt: skip


async def test_an_order_is_priced_here_reserved_and_given_a_payment_intent(checkout, stripe, owner):
    status, body = await checkout.place(an_order(quantity=2))
    assert status == 201, body
    assert body["order"]["total_minor"] == 13000
    [intent] = await stripe.intents()
    assert (intent["id"], intent["amount"], intent["currency"]) == (body["payment_intent_id"], 13000, "usd")
    assert intent["metadata"]["order_id"] == body["order"]["id"]
    assert body["client_secret"].startswith(intent["id"])
    assert await owner.fetchval("SELECT reserved FROM checkout.stock WHERE sku = $1", SKU) == 2
    attempt = await owner.fetchrow("SELECT * FROM checkout.payment_attempts")
    assert (attempt["state"], attempt["payment_intent_id"]) == ("succeeded", intent["id"])
    assert body["client_secret"] not in str(await owner.fetch("SELECT * FROM checkout.payment_attempts"))


async def test_the_same_key_and_body_give_the_same_answer(checkout, stripe):
    key = str(uuid4())
    _, first = await checkout.place(an_order(), key)
    status, again = await checkout.place(an_order(), key)
    assert (status, again) == (201, first)
    assert len(await stripe.intents()) == 1


async def test_fifty_at_once_make_one_order_and_one_payment_intent(checkout, stripe, owner):
    key = str(uuid4())
    answers = await asyncio.gather(*(checkout.place(an_order(), key) for _ in range(50)))
    assert {status for status, _ in answers} == {201}
    assert len({body["client_secret"] for _, body in answers}) == 1
    assert len(await stripe.intents()) == 1
    assert await owner.fetchval("SELECT count(*) FROM checkout.orders") == 1
    assert await owner.fetchval("SELECT reserved FROM checkout.stock WHERE sku = $1", SKU) == 1


async def test_the_same_key_with_another_body_is_refused_with_an_explanation(checkout):
    key = str(uuid4())
    await checkout.place(an_order(), key)
    status, problem = await checkout.place(an_order(quantity=3), key)
    assert (status, problem["code"]) == (409, "idempotency_key_reused")
    assert "new key" in problem["detail"]


BAD_BODIES = [
    ("lines.0.sku", an_order(sku="NO-SUCH-SKU")),
    ("lines.0.quantity", an_order(quantity=0)),
    ("lines.0.quantity", an_order(quantity=-1)),
    ("lines.0.quantity", an_order(quantity=10**9)),
    ("lines.0.quantity", an_order(quantity=1.5)),
    ("lines.0.quantity", an_order(quantity="2")),
    ("lines.0.quantity", an_order(quantity=True)),
    ("lines.0.unit_price_minor", an_order(lines=[{"sku": SKU, "quantity": 1, "unit_price_minor": 1}])),
    ("lines.1.currency", an_order(lines=[{"sku": SKU, "quantity": 1}, {"sku": SKU, "quantity": 1, "currency": "eur"}])),
    ("lines", an_order(lines=[])),
    ("lines", an_order(lines=[{"sku": SKU, "quantity": 1}] * 51)),
    ("lines", an_order(lines="all of them")),
    ("total_minor", an_order(total_minor=1)),
    ("currency", an_order(currency="usdollar")),
    ("currency", an_order(currency="USD")),
    ("lines.0.sku", an_order(currency="jpy")),
    ("email", an_order(email="nobody")),
    ("email", an_order(email="a@b.com\nBcc: x@y.com")),
    ("email", an_order(email=None)),
    ("locale", an_order(locale="../../etc/passwd")),
    ("shipping_address", an_order(shipping_address=None)),
    ("shipping_address.name", an_order(shipping_address={**an_order()["shipping_address"], "name": "a\x00b"})),
    ("shipping_address.name", an_order(shipping_address={**an_order()["shipping_address"], "name": " "})),
    ("shipping_address.country", an_order(shipping_address={**an_order()["shipping_address"], "country": "Narnia"})),
]


@pytest.mark.parametrize(("field", "body"), BAD_BODIES)
async def test_a_bad_field_is_named(checkout, field, body):
    status, problem = await checkout.place(body)
    assert status == 422, problem
    assert field in [error["field"] for error in problem["errors"]]
    assert problem["code"] == "invalid_request"


@pytest.mark.parametrize("field", ["email", "lines", "shipping_address"])
async def test_a_missing_field_is_named(checkout, field):
    body = an_order()
    del body[field]
    status, problem = await checkout.place(body)
    assert (status, problem["errors"][0]["field"]) == (422, field)


async def test_a_refused_basket_leaves_the_key_free_and_nothing_reserved(checkout, owner):
    key = str(uuid4())
    assert (await checkout.place(an_order(sku="NO-SUCH-SKU"), key))[0] == 422
    assert await owner.fetchval("SELECT sum(reserved) FROM checkout.stock") == 0
    assert (await checkout.place(an_order(), key))[0] == 201


async def test_two_lines_of_one_sku_do_not_oversell(checkout, owner):
    lines = [{"sku": SKU, "quantity": 40}, {"sku": SKU, "quantity": 40}]
    status, problem = await checkout.place(an_order(lines=lines))
    assert (status, problem["code"], problem["errors"][0]["field"]) == (409, "out_of_stock", "lines.0.quantity")
    assert await owner.fetchval("SELECT sum(reserved) FROM checkout.stock") == 0


async def test_without_a_key_there_is_no_order(checkout, http):
    async with http.post(f"{checkout.url}/v1/orders", json=an_order()) as response:
        assert (response.status, (await response.json())["code"]) == (400, "idempotency_key_required")


async def test_the_order_is_shown_to_its_token_and_to_nobody_else(checkout):
    _, mine = await checkout.place()
    _, other = await checkout.place()
    path = f"/v1/orders/{mine['order']['id']}"
    assert (await checkout.get(path))[0] == 401
    for token in ("nonsense", other["order_token"], "0.é"):
        status, problem = await checkout.get(path, params={"token": token})
        assert (status, problem["code"]) == (403, "order_token_wrong")
    headers = {"Authorization": f"Bearer {mine['order_token']}"}
    status, shown = await checkout.get(path, headers=headers)
    assert (status, shown) == (200, mine["order"])
    assert (await checkout.get("/v1/orders/not-a-uuid", headers=headers))[1]["code"] == "malformed_id"


async def test_the_same_key_finds_the_order_after_3d_secure_that_failed(checkout, stripe):
    """Its failure has a code and no decline code."""
    key = str(uuid4())
    _, first = await checkout.place(an_order(), key)
    await stripe.pay(first["payment_intent_id"], "pm_card_threeDSecure2Required")
    await stripe.control("POST", f"payment_intents/{first['payment_intent_id']}/authenticate", {"outcome": "fail"})
    status, again = await checkout.place(an_order(), key)
    assert (status, again["payment_intent_id"]) == (201, first["payment_intent_id"])
