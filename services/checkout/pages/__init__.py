"""The pages that customers land on from a mail: plain HTML, no script, nothing from elsewhere."""

from functools import cache
from pathlib import Path

from aiohttp import web
from babel.dates import format_datetime
from babel.numbers import format_currency
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from services.checkout.domain import Fulfilment, Order, Parcel, WholeOrder, payment_reading, reading
from shared.money import Money

# The styles are in the page itself, and its icon is none, so that nobody asks for one; there is no script at all.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

STATUS = {
    "awaiting": ("Waiting for payment", "We have reserved your items and are waiting for your payment."),
    "processing": ("Payment on its way", "Your bank is still working on the payment. There is nothing to do."),
    "failed": (
        "Payment not completed",
        "Nothing was charged. You can pay again in the shop while the items are reserved.",
    ),
    "paid": ("Paid", "Thank you! We are preparing your order."),
    "expired": ("Reservation ended", "The items were not paid for in time and are on sale again. Nothing was charged."),
}
GIVEN_BACK = {
    "part refunded": ("Partly refunded", "We have given back a part of your payment; your bank may need some days."),
    "refunded": ("Refunded", "We have given back your payment; your bank may need 5 to 10 days to show it."),
}
SENT = {
    Fulfilment.PART_SHIPPED: ("Partly on its way", "A part of your order is on its way; the rest follows."),
    Fulfilment.SHIPPED: ("On its way", "Your order has been handed to the carrier."),
    Fulfilment.DELIVERED: ("Delivered", "The carrier says that your order has arrived. Enjoy it!"),
    Fulfilment.RETURNED: ("Returned", "What we sent you has come back to us."),
}
PARCEL = {"shipped": "on its way", "delivered": "delivered", "returned": "came back to us"}
HELD = ("We are checking your payment", "Something about the payment needs a look. We will write to you.")


def order_status(shop_name: str, whole: WholeOrder) -> str:
    """How an order stands."""
    order = whole.order
    title, text = _standing(order)
    return _page("order.html").render(
        shop_name=shop_name,
        order=order,
        lines=whole.lines,
        parcels=[(parcel, _sent(parcel, whole)) for parcel in whole.parcels],
        tax_contained=order.parts.tax - order.parts.tax_added,
        title=title,
        text=text,
        reading=reading(order),
        is_open=order.payment in ("awaiting", "failed"),
        until=format_datetime(order.reserved_until, "d MMM y, HH:mm 'UTC'", locale="en"),
        amount=_amount,
    )


def _standing(order: Order) -> tuple[str, str]:
    """Title and text: that all was given back says more than what was sent, a part of it less; a hold more than any."""
    if order.hold != "none":
        return HELD
    paid = payment_reading(order)
    if paid != "refunded" and order.fulfilment in SENT:
        return SENT[order.fulfilment]
    return GIVEN_BACK.get(paid, STATUS[order.payment])


def _sent(parcel: Parcel, whole: WholeOrder) -> tuple[str, str]:
    """What became of a parcel, and what is in it."""
    pieces = (f"{quantity} × {whole.lines[at].name}" for at, quantity in parcel.lines.items())
    return PARCEL[parcel.state], ", ".join(pieces)


def no_order(shop_name: str) -> str:
    """What somebody sees whose link is wrong, cut off or too old."""
    return _page("no_order.html").render(shop_name=shop_name)


def html(text: str, status: int = 200) -> web.Response:
    """A page as an answer, with the policy that keeps everything foreign out."""
    return web.Response(text=text, status=status, content_type="text/html", headers={"Content-Security-Policy": POLICY})


def _amount(money: Money) -> str:
    return format_currency(money.major(), money.currency.upper(), locale="en_US")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )


def _page(name: str) -> Template:
    return _environment().get_template(name)
