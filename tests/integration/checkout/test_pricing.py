"""Prices over HTTP: the quote, the order, their parts, and what happens when a price changes in between."""

from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from deploy.ops.catalogue import Catalogue, read
from deploy.ops.unreadable import Unreadable
from services.checkout.actions.pricing import replace_terms
from tests.integration.checkout.conftest import CATALOGUE, SKU, Checkout, an_order
from tests.integration.checkout.test_payments import a_success, hear, state_of, stock_of

ZONES = """
[[products]]
id = "none"
name = "None"
category = "None"
prices = { usd = 1 }
variants = [{ sku = "NONE", size = "M", colour = "N", on_hand = 0 }]
[[shipping_zones]]
id = "islands"
name = "Islands"
countries = ["GB", "IE", "US"]
methods = [
    { id = "post", name = "Post", rates = { usd = [[0, 500]] }, free_from = { usd = 20000 } },
    { id = "van", name = "Van", basis = "weight", rates = { usd = [[0, 900], [1000, 1900]] } },
]
[[tax_rates]]
country = "GB"
percent = 20
included = true
[[tax_rates]]
country = "IE"
percent = 23
included = false
[[tax_rates]]
country = "US"
region = "NY"
percent = 8.875
included = false
"""


def parts_of(body: dict[str, Any]) -> tuple[int, ...]:
    return tuple(body[f"{name}_minor"] for name in ("subtotal", "shipping", "tax", "tax_added", "total"))


async def ask(checkout: Checkout, **changes: Any) -> tuple[int, Any]:
    body = {"currency": "usd", "lines": [{"sku": SKU, "quantity": 2}], "country": "GB", **changes}
    async with checkout.http.post(f"{checkout.url}/v1/quote", json=body) as response:
        return response.status, await response.json()


@pytest.fixture
async def islands(checkout, tmp_path) -> Checkout:
    file = tmp_path / "zones.toml"
    file.write_text(ZONES)
    found: Catalogue = read(file)
    zones, rates = [z.model_dump() for z in found.shipping_zones], [r.model_dump() for r in found.tax_rates]
    await replace_terms(checkout.till.pool, zones, rates, "test")
    return checkout


async def test_a_quote_shows_every_part_and_what_else_could_be_chosen(islands):
    status, shown = await ask(islands)
    assert status == 200, shown
    assert parts_of(shown) == (13000, 500, 2167 + 83, 0, 13500)
    assert shown["shipping_options"] == [
        {"id": "post", "name": "Post", "price_minor": 500}, {"id": "van", "name": "Van", "price_minor": 900},
    ]  # fmt: skip
    assert shown["lines"][0]["tax_minor"] == 2167
    _, shown = await ask(islands, country="IE", shipping_method="van")
    assert parts_of(shown) == (13000, 900, 2990 + 207, 3197, 17097)


async def test_an_order_costs_what_was_quoted_and_keeps_its_parts(islands, stripe, owner):
    address = {**an_order()["shipping_address"], "country": "IE"}
    body = an_order(quantity=2, shipping_address=address, shipping_method="van", expected_total_minor=17097)
    status, placed = await islands.place(body)
    assert status == 201, placed
    assert parts_of(placed["order"]) == (13000, 900, 3197, 3197, 17097)
    assert (placed["order"]["shipping_method"], placed["order"]["shipping_name"]) == ("van", "Van")
    [intent] = await stripe.intents()
    assert intent["amount"] == 17097
    headers = {"Authorization": f"Bearer {placed['order_token']}"}
    assert (await islands.get(f"/v1/orders/{placed['order']['id']}", headers=headers))[1] == placed["order"]
    async with islands.http.get(f"{islands.url}/orders/{placed['order']['id']}", headers=headers) as response:
        page = await response.text()
    for words in ("$130.00", "Van", "$9.00", "Tax", "$31.97", "$170.97"):
        assert words in page
    await hear(islands, a_success(placed))
    facts = await owner.fetchval(
        "SELECT convert_from(body, 'UTF8')::jsonb->'order' FROM checkout.outbox WHERE type = 'order.paid'"
    )
    assert '"shipping_minor": 900' in facts


async def test_a_rate_with_three_decimals_is_taken_to_the_cent_and_shown_as_it_is(islands, owner):
    """New York City's 8.875 %: of 65.00 that is 5.76875, and of 5.00 it is 0.44375."""
    address = {**an_order()["shipping_address"], "country": "US", "region": "NY"}
    status, placed = await islands.place(an_order(quantity=1, shipping_address=address))
    assert status == 201, placed
    assert parts_of(placed["order"]) == (6500, 500, 577 + 44, 621, 7621)
    assert placed["order"]["lines"][0]["tax_percent"] == "8.875"
    await owner.execute("UPDATE checkout.order_lines SET tax_millionths = NULL, tax_basis_points = 888")  # as before
    headers = {"Authorization": f"Bearer {placed['order_token']}"}
    _, shown = await islands.get(f"/v1/orders/{placed['order']['id']}", headers=headers)
    assert shown["lines"][0]["tax_percent"] == "8.88"


@pytest.mark.parametrize("percent", ["8.87512", "-1", "100.5", '"much"'])
def test_a_rate_that_is_none_is_named_with_its_place(tmp_path, percent):
    file = tmp_path / "zones.toml"
    file.write_text(ZONES.replace("8.875", percent))
    with pytest.raises(Unreadable, match=r"tax_rates\.2\.percent"):
        read(file)


@pytest.mark.parametrize("country", ["GB", "DE"])
async def test_a_price_that_changed_after_the_page_was_shown_is_not_charged_and_nothing_is_reserved(
    checkout, stripe, owner, country
):
    """Failure 10's honest sister: the shopper agreed to one total, and the basket costs another by now."""
    address = {**an_order()["shipping_address"], "country": country}
    _, shown = await ask(checkout, country=country)
    await owner.execute("UPDATE checkout.prices SET unit_price_minor = 7000 WHERE sku = $1 AND currency = 'usd'", SKU)
    key, body = str(uuid4()), an_order(quantity=2, shipping_address=address, expected_total_minor=shown["total_minor"])
    status, problem = await checkout.place(body, key)
    assert (status, problem["code"], problem["total_minor"], problem["currency"]) == (
        409,
        "price_changed",
        14000,
        "usd",
    )
    assert await stock_of(owner) == (60, 0)
    assert await stripe.intents() == []
    status, placed = await checkout.place({**body, "expected_total_minor": 14000}, key)
    assert (status, placed["order"]["total_minor"]) == (201, 14000)


async def test_the_price_of_an_order_stays_what_it_was_when_the_catalogue_changes(checkout, owner):
    key = str(uuid4())
    _, placed = await checkout.place(an_order(), key)
    await owner.execute("UPDATE checkout.prices SET unit_price_minor = 9900 WHERE sku = $1", SKU)
    status, again = await checkout.place(an_order(), key)
    assert (status, again) == (201, placed)


@pytest.mark.parametrize("quantity", [5, 1], ids=["of a cheaper order", "of an order of the same price"])
async def test_the_intent_of_one_order_does_not_pay_for_another(checkout, stripe, owner, quantity):
    """Failure 10: the success of another intent names this order. It is held, and nothing leaves the shelf."""
    _, dear = await checkout.place(an_order(quantity=quantity))
    _, cheap = await checkout.place()
    paid = a_success({**dear, "payment_intent_id": cheap["payment_intent_id"]}, amount_received_minor=6500)
    await hear(checkout, paid)
    assert await state_of(owner, dear) == ("awaiting", "payment_differs")
    assert await stock_of(owner) == (60, quantity + 1)


async def test_a_country_without_a_zone_is_a_clear_refusal(islands, owner):
    address = {**an_order()["shipping_address"], "country": "NZ"}
    for field, (status, problem) in {
        "country": await ask(islands, country="NZ"),
        "shipping_address.country": await islands.place(an_order(shipping_address=address)),
    }.items():
        assert (status, problem["code"]) == (422, "country_not_served")
        assert problem["errors"][0]["field"] == field
    assert await owner.fetchval("SELECT count(*) FROM checkout.orders") == 0


async def test_an_unknown_method_is_named_with_those_there_are(islands):
    status, problem = await islands.place(an_order(shipping_method="pigeon"))
    assert (status, problem["errors"]) == (
        422, [{"field": "shipping_method", "detail": "has to be one of: post, van"}],
    )  # fmt: skip


async def test_amounts_that_do_not_add_up_can_not_be_stored(checkout, owner):
    await checkout.place()
    for change in ("total_minor = total_minor + 1", "shipping_minor = 5", "tax_added_minor = 1, total_minor = 6501"):
        with pytest.raises(asyncpg.CheckViolationError, match="add"):
            await owner.execute(f"UPDATE checkout.orders SET {change}")
    with pytest.raises(asyncpg.CheckViolationError, match="do not add up"):
        await owner.execute("UPDATE checkout.orders SET subtotal_minor = 6400, total_minor = 6400")


async def test_the_demos_zones_and_rates_can_be_read_and_serve_every_country(checkout):
    found = read(CATALOGUE)
    zones, rates = [z.model_dump() for z in found.shipping_zones], [r.model_dump() for r in found.tax_rates]
    for _ in range(2):  # again: they take the place of those before
        await replace_terms(checkout.till.pool, zones, rates, "test")
    for country, tax in (("GB", 2167), ("DE", 2076), ("US", 0), ("NZ", 0)):
        status, shown = await ask(checkout, country=country)
        assert (status, parts_of(shown)) == (200, (13000, 0, tax, 0, 13000))
        assert [option["id"] for option in shown["shipping_options"]] == ["standard", "express"]
    assert parts_of((await ask(checkout, country="CA"))[1]) == (13000, 0, 650, 650, 13650)
