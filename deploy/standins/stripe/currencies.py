"""Which currencies the stand-in takes and how little may be charged in them."""

# A-06; 50 minor units of anything not named.
MINIMUM = {
    "usd": 50,
    "eur": 50,
    "gbp": 30,
    "jpy": 50,
    "chf": 50,
    "cad": 50,
    "aud": 50,
    "sek": 300,
    "nok": 300,
    "dkk": 250,
}

_KNOWN = """
aed aud bgn bhd brl cad chf clp cny czk dkk eur gbp hkd huf idr ils inr isk jod jpy krw kwd mxn myr nok nzd
omr php pln ron rsd sar sek sgd thb tnd try twd uah usd vnd zar
"""
CURRENCIES = frozenset(_KNOWN.split())

# Eight digits at most.
MAXIMUM = 99_999_999


def minimum(currency: str) -> int:
    return MINIMUM.get(currency, 50)
