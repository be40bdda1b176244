"""An order and its parcels as events carry them."""

from collections.abc import Sequence

from services.checkout.domain import Line, Order, Parcel
from shared.events import Address, OrderFacts, OrderLine, ParcelFacts, ParcelLine


def facts(order: Order, lines: Sequence[Line]) -> OrderFacts:
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


def parcel_facts(parcel: Parcel, lines: Sequence[Line]) -> ParcelFacts:
    """The parcel with what is in it; `lines` are the order's."""
    return ParcelFacts(
        parcel_id=parcel.id,
        carrier=parcel.carrier,
        tracking_number=parcel.tracking_number,
        tracking_url=parcel.tracking_url,
        lines=tuple(
            ParcelLine(sku=lines[at].sku, name=lines[at].name, variant=lines[at].variant, quantity=quantity)
            for at, quantity in parcel.lines.items()
        ),
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
