"""Tax on an amount: by destination and class, contained in our prices or added to them. Integers only.

Each line, and delivery, is rounded by itself, halves up (DECISIONS.md): what a customer sees of a line adds up.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.errors import Invalid
from shared.money import Money, round_half_up

WHOLE = 1_000_000
STANDARD = "standard"

_REGION = re.compile(r"[A-Z0-9]{1,3}")


@dataclass(frozen=True, slots=True)
class Rate:
    """In millionths, as 8.875 % is 88,750 of them. `is_included`: our prices contain the tax."""

    millionths: int
    is_included: bool

    @property
    def percent(self) -> str:
        """As people write it: 20, or 8.875."""
        whole, rest = divmod(self.millionths, WHOLE // 100)
        return f"{whole}.{rest:04}".rstrip("0").rstrip(".")


NO_TAX = Rate(0, is_included=True)


@dataclass(frozen=True, slots=True)
class RegionalRate:
    """A row of the table of rates; a region of "" is the whole country."""

    region: str
    tax_class: str
    rate: Rate


@dataclass(frozen=True, slots=True)
class Tax:
    """The tax of one amount."""

    amount: Money
    rate: Rate

    @property
    def added(self) -> Money:
        """What of it comes on top of the price."""
        return self.amount * 0 if self.rate.is_included else self.amount


def rates_for(rows: Sequence[RegionalRate], region: str | None) -> Mapping[str, Rate]:
    """A country's rates by class, those of the region before the country's own.

    Raises Invalid where rates differ by region and the region is not given as its code.
    """
    code = (region or "").strip().upper()
    if any(row.region for row in rows) and not _REGION.fullmatch(code):
        raise Invalid("is needed as its code, such as NY: the tax depends on it", field="shipping_address.region")
    country = {row.tax_class: row.rate for row in rows if not row.region}
    return {**country, **{row.tax_class: row.rate for row in rows if row.region and row.region == code}}


def rate_of(rates: Mapping[str, Rate], tax_class: str) -> Rate:
    """A class without a rate of its own is taxed as standard; where there is none at all, we collect no tax."""
    return rates.get(tax_class, rates.get(STANDARD, NO_TAX))


def tax_on(price: Money, rate: Rate) -> Tax:
    """The tax that a price contains, or that comes on top of it."""
    base = WHOLE + rate.millionths if rate.is_included else WHOLE
    return Tax(Money(round_half_up(price.amount_minor * rate.millionths, base, price.currency), price.currency), rate)
