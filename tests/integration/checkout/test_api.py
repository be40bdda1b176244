"""Checkout keeps what its document promises, whatever it is sent."""

import pytest

from shared.ids import uuid7
from shared.staff import Right
from tests.api import EXAMPLES, Given, examine
from tests.integration.checkout.conftest import SKU
from tests.integration.checkout.money import a_paid_order, order_id_of

# 422 also for a body that is sound: a SKU that isn't sold, a country that isn't served, pieces that aren't there. That
# sound bodies are taken for sound is in tests/unit/shared/test_openapi_bodies.py.
REFUSE_FOR_WHAT_IT_IS_ABOUT = ("quote", "place_order", "adjust_stock", "refund_order", "ship_parcel", "mark_parcel")


@pytest.mark.timeout(max(300, 20 * EXAMPLES))  # it starts a program of its own, on what may be a busy machine
async def test_checkout_keeps_what_its_document_promises(checkout, stripe, signed_in, tmp_path):
    placed = await a_paid_order(checkout, stripe)
    headers, _ = await signed_in(*Right)
    given = Given(
        tokens={
            "staffSession": ("bearer", headers["Authorization"].removeprefix("Bearer ")),
            "orderToken": ("bearer", placed["order_token"]),
        },
        values={
            "path.id": [str(order_id_of(placed))],
            "path.parcel_id": [str(uuid7())],
            "path.refund_id": [str(uuid7())],
            "path.sku": [SKU],
            "body.lines[*].sku": [SKU],
            "body.country": ["GB"],
            "body.shipping_address.country": ["GB"],
        },
        checks_off=dict.fromkeys(REFUSE_FOR_WHAT_IT_IS_ABOUT, "positive_data_acceptance"),
    )
    await examine(checkout.url, given, tmp_path)
