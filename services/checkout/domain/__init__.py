"""What an order is, what it costs and how it may move. Pure: the clock, ids and prices are arguments."""

from services.checkout.domain.failures import CATEGORIES, failure_category
from services.checkout.domain.idempotency import KeyReused, sha256
from services.checkout.domain.orders import (
    MOVES,
    NUMBER_ALPHABET,
    NUMBER_LENGTH,
    RESERVING,
    Hold,
    IllegalMove,
    Order,
    PaymentState,
    move,
    order_number,
    settle,
)
from services.checkout.domain.payments import CANCEL_INTENT, CREATE_INTENT, Attempt, Received, Resync
from services.checkout.domain.pricing import LARGEST_TOTAL_MINOR, Line, Offer, Wanted, price, total
from services.checkout.domain.stock import OutOfStock, pieces

__all__ = [
    "CANCEL_INTENT",
    "CATEGORIES",
    "CREATE_INTENT",
    "LARGEST_TOTAL_MINOR",
    "MOVES",
    "NUMBER_ALPHABET",
    "NUMBER_LENGTH",
    "RESERVING",
    "Attempt",
    "Hold",
    "IllegalMove",
    "KeyReused",
    "Line",
    "Offer",
    "Order",
    "OutOfStock",
    "PaymentState",
    "Received",
    "Resync",
    "Wanted",
    "failure_category",
    "move",
    "order_number",
    "pieces",
    "price",
    "settle",
    "sha256",
    "total",
]
