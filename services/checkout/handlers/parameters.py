"""Parameters of checkout's routes: they are read and documented by these."""

from services.checkout.schemas import (
    Currency,
    EventId,
    IdempotencyKey,
    OrderId,
    ParcelId,
    PaymentMethodId,
    RefundId,
    Sku,
)
from shared.errors import BadRequest, NotFound
from shared.openapi import Header, Path, Query
from shared.web import MalformedId


class KeyRequired(BadRequest):
    code = "idempotency_key_required"
    title = "Send one Idempotency-Key with the order: the same one when repeating, else a new one"


CURRENCY = Query("currency", Currency, default="usd")
IDEMPOTENCY_KEY = Header("Idempotency-Key", IdempotencyKey, wrong=KeyRequired)
LAST_EVENT_ID = Header("Last-Event-ID", EventId, is_required=False)
ORDER_ID = Path("id", OrderId, wrong=MalformedId)
PAYMENT_METHOD = Path("id", PaymentMethodId, wrong=NotFound)
PARCEL_ID = Path("parcel_id", ParcelId, wrong=MalformedId)
REFUND_ID = Path("refund_id", RefundId, wrong=MalformedId)
SKU = Path("sku", Sku, wrong=NotFound)
