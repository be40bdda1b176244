"""What a basket costs, at our own prices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.errors import FieldError, Invalid
from shared.money import Money

# Stripe's largest amount: eight digits (docs.stripe.com/currencies, "minimum and maximum charge amounts").
LARGEST_TOTAL_MINOR = 99_999_999


@dataclass(frozen=True, slots=True)
class Wanted:
    """One line of a basket as the client sent it."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Offer:
    """A variant as it is sold in one currency."""

    sku: str
    name: str
    variant: str
    unit_price: Money


@dataclass(frozen=True, slots=True)
class Line:
    sku: str
    name: str
    variant: str
    quantity: int
    unit_price: Money

    @property
    def total(self) -> Money:
        return self.unit_price * self.quantity


def price(wanted: Sequence[Wanted], offers: Mapping[str, Offer], currency: str) -> list[Line]:
    """The lines at our own prices, in the order they came; raises Invalid naming every line that can't be sold."""
    errors = [
        FieldError(f"lines.{position}.sku", f"{item.sku} is not sold here in {currency.upper()}")
        for position, item in enumerate(wanted)
        if item.sku not in offers
    ]
    if errors:
        raise Invalid("Some lines can't be sold", errors=errors)
    return [_line(item, offers[item.sku]) for item in wanted]


def _line(item: Wanted, offer: Offer) -> Line:
    return Line(offer.sku, offer.name, offer.variant, item.quantity, offer.unit_price)


def total(lines: Sequence[Line], currency: str) -> Money:
    """What the customer pays. Raises Invalid when Stripe could not take so much in one payment."""
    amount = sum((line.total for line in lines), Money(0, currency))
    if amount.amount_minor > LARGEST_TOTAL_MINOR:
        raise Invalid("The order is larger than one payment can be", field="lines")
    return amount
