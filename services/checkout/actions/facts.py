"""An order as its events carry it."""

from services.checkout.domain import Line, Order
from shared.events import Address, OrderFacts, OrderLine


def facts(order: Order, lines: list[Line]) -> OrderFacts:
    """The order as events carry it: all that a mail needs."""
    return OrderFacts(
        order_id=order.id,
        number=order.number,
        email=order.email,
        locale=order.locale,
        currency=order.total.currency,
        total_minor=order.total.amount_minor,
        subtotal_minor=order.parts.subtotal.amount_minor,
        shipping_minor=order.parts.shipping.amount_minor,
        shipping_name=order.parts.shipping_name,
        tax_minor=order.parts.tax.amount_minor,
        tax_added_minor=order.parts.tax_added.amount_minor,
        lines=tuple(_line_facts(line) for line in lines),
        shipping_address=Address.model_validate(order.shipping_address),
    )


def _line_facts(line: Line) -> OrderLine:
    return OrderLine(
        sku=line.sku,
        name=line.name,
        variant=line.variant,
        quantity=line.quantity,
        unit_price_minor=line.unit_price.amount_minor,
        line_total_minor=line.total.amount_minor,
    )
