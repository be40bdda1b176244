"""HTTP bodies of checkout, in and out."""

from services.checkout.schemas.catalogue import ProductOut, ProductsOut, VariantOut
from services.checkout.schemas.fields import Currency, EventId, IdempotencyKey, OrderId, RefundId, Sku
from services.checkout.schemas.orders import AskQuote, OrderOut, PlacedOrder, PlaceOrder, QuoteOut
from services.checkout.schemas.staff import AdjustedStock, AdjustStock, RefundIn, RefundOut

__all__ = [
    "AdjustStock",
    "AdjustedStock",
    "AskQuote",
    "Currency",
    "EventId",
    "IdempotencyKey",
    "OrderId",
    "OrderOut",
    "PlaceOrder",
    "PlacedOrder",
    "ProductOut",
    "ProductsOut",
    "QuoteOut",
    "RefundId",
    "RefundIn",
    "RefundOut",
    "Sku",
    "VariantOut",
]
