"""Every route of checkout says who may call it, and its pages say what a customer needs."""

from services.checkout.app import make
from shared.permissions import Permission
from tests.integration.checkout.conftest import an_order, settings_for
from tests.permissions import HEALTH, permissions

EXPECTED = {
    **HEALTH,
    "GET /v1/products": Permission.PUBLIC,
    "POST /v1/orders": Permission.PUBLIC,
    "POST /v1/quote": Permission.PUBLIC,
    "GET /v1/orders/{id}": Permission.ORDER_TOKEN,
    "GET /v1/orders/{id}/events": Permission.ORDER_TOKEN,
    "GET /orders/{id}": Permission.ORDER_TOKEN,
    "GET /v1/payment-methods": Permission.CUSTOMER,
    "DELETE /v1/payment-methods/{id}": Permission.CUSTOMER,
    "POST /v1/staff/stock/{sku}/adjustments": Permission.STAFF,
    "PUT /v1/staff/orders/{id}/refunds/{refund_id}": Permission.STAFF,
    "POST /v1/staff/orders/{id}/release": Permission.STAFF,
    "GET /v1/staff/orders/{id}/parcels": Permission.STAFF,
    "PUT /v1/staff/orders/{id}/parcels/{parcel_id}": Permission.STAFF,
    "PUT /v1/staff/orders/{id}/parcels/{parcel_id}/state": Permission.STAFF,
}


async def test_every_route_declares_who_may_call_it(database, amqp_url):
    assert permissions(make(settings_for(database, amqp_url, "http://127.0.0.1:1"))) == EXPECTED


async def test_the_status_page_shows_the_order_to_its_link_and_escapes_what_it_shows(checkout, http, owner):
    await owner.execute("UPDATE checkout.products SET name = '<script>alert(1)</script>' WHERE id = 'silk-tie'")
    _, placed = await checkout.place(an_order(quantity=2))
    address = f"{checkout.url}/orders/{placed['order']['id']}"
    async with http.get(address, params={"token": placed["order_token"]}) as response:
        page = await response.text()
        assert response.status == 200
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert placed["order"]["number"] in page
    assert "$130.00" in page
    assert "<script" not in page
    async with http.get(address, params={"token": "wrong"}) as response:
        assert response.status == 403
        assert "link" in await response.text()
