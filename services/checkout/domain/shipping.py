"""What delivery costs, and which ways of it there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.errors import Invalid
from shared.money import Money


class NotServed(Invalid):
    code = "country_not_served"
    title = "We don't send to this country"


@dataclass(frozen=True, slots=True)
class Method:
    """A way of delivery to a country in one currency. `rates`: from so much (grams or minor units) on, the price."""

    id: str
    name: str
    basis: str  # total or weight
    tax_class: str
    rates: Mapping[int, Money]
    free_from: Money | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """A way of delivery with what it costs for one basket."""

    id: str
    name: str
    price: Money
    tax_class: str


def included(currency: str) -> Method:
    """What a shop does that has set up no zones."""
    return Method("standard", "Delivery", "total", "standard", {0: Money(0, currency)})


def options(methods: Sequence[Method], subtotal: Money, weight_grams: int) -> list[Option]:
    """The methods that can carry the basket, the default first. A method without a rate for it can't."""
    found = []
    for method in methods:
        measure = weight_grams if method.basis == "weight" else subtotal.amount_minor
        reached = [start for start in method.rates if start <= measure]
        if reached:
            is_free = method.free_from is not None and not subtotal < method.free_from
            price = subtotal * 0 if is_free else method.rates[max(reached)]
            found.append(Option(method.id, method.name, price, method.tax_class))
    return found


def choose(found: Sequence[Option], wanted: str | None) -> Option:
    """The option that was asked for, else the first. Raises NotServed when there is none, Invalid for an unknown."""
    if not found:
        raise NotServed(
            "we don't deliver this basket to this country in this currency", field="shipping_address.country"
        )
    if wanted is None:
        return found[0]
    for option in found:
        if option.id == wanted:
            return option
    raise Invalid(f"has to be one of: {', '.join(option.id for option in found)}", field="shipping_method")
