"""HTTP bodies of checkout, in and out."""

from services.checkout.schemas.catalogue import ProductOut, ProductsOut, VariantOut
from services.checkout.schemas.customers import SavedCardsOut
from services.checkout.schemas.fields import (
    Currency,
    EventId,
    IdempotencyKey,
    OrderId,
    ParcelId,
    PaymentMethodId,
    RefundId,
    Sku,
)
from services.checkout.schemas.orders import AskQuote, OrderOut, ParcelOut, PlacedOrder, PlaceOrder, QuoteOut
from services.checkout.schemas.staff import (
    AdjustedStock,
    AdjustStock,
    ParcelIn,
    ParcelsOut,
    ParcelStateIn,
    RefundIn,
    RefundOut,
    ReleaseIn,
    StandingOut,
)

__all__ = [
    "AdjustStock",
    "AdjustedStock",
    "AskQuote",
    "Currency",
    "EventId",
    "IdempotencyKey",
    "OrderId",
    "OrderOut",
    "ParcelId",
    "ParcelIn",
    "ParcelOut",
    "ParcelStateIn",
    "ParcelsOut",
    "PaymentMethodId",
    "PlaceOrder",
    "PlacedOrder",
    "ProductOut",
    "ProductsOut",
    "QuoteOut",
    "RefundId",
    "RefundIn",
    "RefundOut",
    "ReleaseIn",
    "SavedCardsOut",
    "Sku",
    "StandingOut",
    "VariantOut",
]
