"""What people read of an order: derived from its facts, stored nowhere."""

from collections.abc import Mapping

from services.checkout.domain.orders import Order
from services.checkout.domain.states import DisputeState, Fulfilment, Hold, PaymentState

_PAYMENT: Mapping[PaymentState, str] = {
    PaymentState.AWAITING: "waiting for payment",
    PaymentState.PROCESSING: "payment on its way",
    PaymentState.FAILED: "payment failed",
    PaymentState.PAID: "paid",
    PaymentState.EXPIRED: "expired",
}
_FULFILMENT: Mapping[Fulfilment, str] = {
    Fulfilment.PART_SHIPPED: "part shipped",
    Fulfilment.SHIPPED: "shipped",
    Fulfilment.DELIVERED: "delivered",
    Fulfilment.RETURNED: "returned",
}
_DISPUTE: Mapping[DisputeState, str] = {
    DisputeState.INQUIRY: "inquiry",
    DisputeState.OPEN: "disputed",
    DisputeState.WON: "dispute won",
    DisputeState.LOST: "dispute lost",
}


def reading(order: Order) -> str:
    """The order in a few words, for example "part refunded, shipped, disputed"; the same facts give the same words."""
    parts = [
        payment_reading(order),
        _FULFILMENT.get(order.fulfilment),
        _DISPUTE.get(order.dispute),
        "on hold" if order.hold is not Hold.NONE else None,
    ]
    return ", ".join(part for part in parts if part)


def payment_reading(order: Order) -> str:
    """Where the money of the order is."""
    if order.payment is PaymentState.PAID and order.refunded_minor:
        return "refunded" if order.refunded_minor >= order.total.amount_minor else "part refunded"
    return _PAYMENT[order.payment]
