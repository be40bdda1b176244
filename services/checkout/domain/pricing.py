"""What a basket costs, at our own prices: goods, delivery, tax."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from services.checkout.domain import shipping
from services.checkout.domain.shipping import Method, Option
from services.checkout.domain.tax import NO_TAX, Rate, Tax, rate_of, tax_on
from shared.errors import Conflict, FieldError, Invalid
from shared.money import Money

# Stripe's largest amount: eight digits (docs.stripe.com/currencies, "minimum and maximum charge amounts").
LARGEST_TOTAL_MINOR = 99_999_999


class PriceChanged(Conflict):
    """The total is not the one that the shopper saw; the answer carries the one it is now."""

    code = "price_changed"
    title = "The total is no longer what you saw"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One line of a basket as the client sent it."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Basket:
    """What somebody wants, and where it shall go. Without a method the destination's first is taken."""

    lines: Sequence[Wanted]
    currency: str
    country: str
    region: str | None = None
    shipping_method: str | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """A variant as it is sold in one currency."""

    sku: str
    name: str
    variant: str
    unit_price: Money
    tax_class: str = "standard"
    weight_grams: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """`tax_minor` is contained in the total of the line or comes on top of it, as `tax_rate` says."""

    sku: str
    name: str
    variant: str
    quantity: int
    unit_price: Money
    tax_minor: int = 0
    tax_rate: Rate = NO_TAX

    @property
    def total(self) -> Money:
        return self.unit_price * self.quantity

    @property
    def tax(self) -> Tax:
        return Tax(Money(self.tax_minor, self.unit_price.currency), self.tax_rate)


@dataclass(frozen=True, slots=True)
class Parts:
    """Of what a total is made. `tax` is all of the tax; `tax_added` the part that our prices don't contain."""

    subtotal: Money
    shipping: Money
    tax: Money
    tax_added: Money
    shipping_tax: Tax
    shipping_method: str
    shipping_name: str

    @property
    def total(self) -> Money:
        return self.subtotal + self.shipping + self.tax_added


@dataclass(frozen=True, slots=True)
class Terms:
    """Where a basket goes: how it can get there, the default first, and the tax there by class."""

    methods: Sequence[Method]
    taxes: Mapping[str, Rate]


@dataclass(frozen=True, slots=True)
class Quote:
    """A priced basket, and the other ways in which it could be sent."""

    lines: list[Line]
    parts: Parts
    options: list[Option]


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


def quote(priced: Sequence[Line], offers: Mapping[str, Offer], terms: Terms, method: str | None) -> Quote:
    """What priced lines, at least one, cost with delivery and tax.

    Raises Invalid for an unknown method or a total beyond Stripe's, NotServed for where we don't send to.
    """
    lines = [_taxed(line, offers[line.sku], terms) for line in priced]
    subtotal = sum((line.total for line in lines[1:]), lines[0].total)
    weight_grams = sum(offers[line.sku].weight_grams * line.quantity for line in lines)
    options = shipping.options(terms.methods, subtotal, weight_grams)
    chosen = shipping.choose(options, method)
    shipping_tax = tax_on(chosen.price, rate_of(terms.taxes, chosen.tax_class))
    parts = _parts(lines, subtotal, chosen, shipping_tax)
    if parts.total.amount_minor > LARGEST_TOTAL_MINOR:
        raise Invalid("The order is larger than one payment can be", field="lines")
    return Quote(lines, parts, options)


def check_expected(parts: Parts, expected_minor: int | None) -> None:
    """Raises PriceChanged when the shopper was shown another total; without one there is nothing to compare."""
    if expected_minor is not None and expected_minor != parts.total.amount_minor:
        error = PriceChanged(f"The total is {parts.total} now; show it and let the customer agree")
        error.members = {"total_minor": parts.total.amount_minor, "currency": parts.total.currency}
        raise error


def _line(item: Wanted, offer: Offer) -> Line:
    return Line(offer.sku, offer.name, offer.variant, item.quantity, offer.unit_price)


def _taxed(line: Line, offer: Offer, terms: Terms) -> Line:
    tax = tax_on(line.total, rate_of(terms.taxes, offer.tax_class))
    return replace(line, tax_minor=tax.amount.amount_minor, tax_rate=tax.rate)


def _parts(lines: Sequence[Line], subtotal: Money, chosen: Option, shipping_tax: Tax) -> Parts:
    tax, added = shipping_tax.amount, shipping_tax.added
    for line in lines:
        tax, added = tax + line.tax.amount, added + line.tax.added
    return Parts(subtotal, chosen.price, tax, added, shipping_tax, chosen.id, chosen.name)
