"""Money: integer minor units and a currency. No floats anywhere."""

from dataclasses import dataclass
from decimal import Decimal

# Decimals of the currencies we know; ISO 4217. Stripe writes amounts in these minor units, except that it
# treats ISK and UGX as if they had two decimals (docs.stripe.com/currencies, "special cases").
EXPONENTS = {
    "aud": 2, "bhd": 3, "cad": 2, "chf": 2, "czk": 2, "dkk": 2, "eur": 2, "gbp": 2, "hkd": 2, "jpy": 0,
    "krw": 0, "kwd": 3, "mxn": 2, "nok": 2, "nzd": 2, "pln": 2, "sek": 2, "sgd": 2, "usd": 2,
}  # fmt: skip


class UnknownCurrency(ValueError):
    """The currency is not in EXPONENTS: its decimals are not known, so no amount in it can be right."""


class MixedCurrencies(ValueError):
    """Two amounts of different currencies were added or compared."""


def exponent(currency: str) -> int:
    """How many decimals a currency has: 0, 2 or 3."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise UnknownCurrency(f"the currency {currency!r} is not known") from None


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
