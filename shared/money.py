"""Money: integer minor units and a currency. No floats anywhere."""

import re
from dataclasses import dataclass
from decimal import Decimal

# Decimals of the currencies we know, as Stripe writes their amounts (docs.stripe.com/currencies, "zero-decimal",
# "three-decimal"). ISK, UGX, HUF and IDR are left out on purpose: Stripe writes them with two decimals and everybody
# who formats amounts for people (ISO 4217, CLDR) with none, so that a page would be wrong by a hundred.
_ZERO = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"
_TWO = """
aed aud bgn brl cad chf cny czk dkk eur gbp hkd ils inr mxn myr nok nzd php pln ron sar sek sgd thb try twd uah
usd zar
"""
_THREE = "bhd jod kwd omr tnd"
EXPONENTS = {
    currency: decimals for decimals, names in ((0, _ZERO), (2, _TWO), (3, _THREE)) for currency in names.split()
}

# Three-decimal amounts must end in 0: nothing smaller can be paid by card.
STEPS = {currency: 10 for currency, decimals in EXPONENTS.items() if decimals == 3}

_AMOUNT = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,4}))?")


class UnknownCurrency(ValueError):
    """The currency is not in EXPONENTS: its decimals are not known, so no amount in it can be right."""


class UnreadableAmount(ValueError):
    """A text is no amount of its currency; the message says what one looks like."""


class MixedCurrencies(ValueError):
    """Two amounts of different currencies were added or compared."""


def exponent(currency: str) -> int:
    """How many decimals a currency has: 0, 2 or 3."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise UnknownCurrency(f"the currency {currency!r} is not known") from None


def step(currency: str) -> int:
    """The smallest difference between two amounts that Stripe can charge, in minor units."""
    exponent(currency)
    return STEPS.get(currency, 1)


def round_half_up(numerator: int, denominator: int, currency: str) -> int:
    """numerator / denominator as minor units that can be charged; halves go up. Neither is negative."""
    unit = step(currency)
    denominator *= unit
    return (2 * numerator + denominator) // (2 * denominator) * unit


def parse_amount(text: str, currency: str) -> "Money":
    """An amount as people write it ("129.90"), exact. Raises UnreadableAmount, also for what Stripe can't charge."""
    decimals, found = exponent(currency), _AMOUNT.fullmatch(text)
    example = Money(12_900_000 // 10 ** (5 - decimals), currency).major()
    if found is None:
        raise UnreadableAmount(f"is no amount; write it like {example}, without a sign, a unit or thousands")
    whole, fraction = found[1], found[2] or ""
    if len(fraction) > decimals:
        raise UnreadableAmount(f"has more than the {decimals} decimals of {currency.upper()}; write it like {example}")
    amount_minor = int(whole + fraction.ljust(decimals, "0"))
    if amount_minor % step(currency):
        smallest = Money(step(currency), currency).major()
        raise UnreadableAmount(f"can't be paid by card: Stripe takes {currency.upper()} in steps of {smallest}")
    return Money(amount_minor, currency)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (cents, or whole yen) of a lower-case ISO 4217 currency."""

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        exponent(self.currency)

    def __add__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(self.amount_minor + other.amount_minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(self.amount_minor - other.amount_minor, self.currency)

    def __mul__(self, times: int) -> "Money":
        return Money(self.amount_minor * times, self.currency)

    def __lt__(self, other: "Money") -> bool:
        self._same_currency(other)
        return self.amount_minor < other.amount_minor

    def major(self) -> Decimal:
        """The amount as people write it, exact: 1999 usd is Decimal('19.99')."""
        return Decimal(self.amount_minor).scaleb(-exponent(self.currency))

    def __str__(self) -> str:
        return f"{self.major()} {self.currency.upper()}"

    def _same_currency(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise MixedCurrencies(f"{self} and {other} are of different currencies")
