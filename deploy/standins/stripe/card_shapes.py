"""Cards as they are given, checked, and as a payment method shows them."""

import hashlib

from deploy.standins.stripe import cards
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.cards import BY_NUMBER, Card, Decline
from deploy.standins.stripe.errors import Refusal
from deploy.standins.stripe.tables import Json


def card_of(account: Account, details: Json) -> Card:
    number = details["number"].replace(" ", "").replace("-", "")
    if not (number.isascii() and number.isdigit() and 12 <= len(number) <= 19 and cards.passes_luhn(number)):
        raise _card_error("incorrect_number", "Your card number is incorrect.", "number")
    if not 1 <= details["exp_month"] <= 12:
        raise _card_error("invalid_expiry_month", "Your card's expiration month is invalid.", "exp_month")
    year = 1970 + account.clock.now() // 31_556_952
    if not year <= _full_year(details["exp_year"]) <= year + 50:
        raise _card_error("invalid_expiry_year", "Your card's expiration year is invalid.", "exp_year")
    cvc = details.get("cvc")
    if cvc is not None and not (cvc.isascii() and cvc.isdigit() and len(cvc) in {3, 4}):
        raise _card_error("invalid_cvc", "Your card's security code is invalid.", "cvc")
    card = BY_NUMBER.get(number)
    if card is None:
        raise refused_card(cards.NOT_A_TEST_CARD)
    return card


def _full_year(year: int) -> int:
    return year + 2000 if year < 100 else year


def _card_error(code: str, message: str, param: str) -> Refusal:
    return Refusal(402, {"code": code, "message": message, "param": param, "type": "card_error"}, is_stored=True)


def refused_card(decline: Decline) -> Refusal:
    error = {
        "code": decline.code,
        "decline_code": decline.decline_code,
        "message": decline.message,
        "type": "card_error",
    }
    return Refusal(402, error, is_stored=True)


def billing_details(given: Json | None) -> Json:
    given = given or {}
    address = given.get("address") or {}
    parts = ("city", "country", "line1", "line2", "postal_code", "state")
    return {
        "address": {part: address.get(part) for part in parts},
        "email": given.get("email"),
        "name": given.get("name"),
        "phone": given.get("phone"),
        "tax_id": None,
    }


def method_json(card: Card, details: Json) -> Json:
    """The part of a payment method that has its type's name."""
    return card_json(card, details) if card.kind == "card" else {**debit_json(card), "generated_from": None}


def debit_json(debit: Card) -> Json:
    return {
        "bank_code": debit.number[4:9],
        "branch_code": None,
        "country": debit.number[:2],
        "fingerprint": fingerprint(debit.number),
        "last4": debit.last4,
    }


def card_json(card: Card, details: Json) -> Json:
    return {
        "brand": card.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "unchecked" if details.get("cvc") else None,
        },
        "country": "US",
        "display_brand": card.brand,
        "exp_month": details["exp_month"],
        "exp_year": _full_year(details["exp_year"]),
        "fingerprint": fingerprint(card.number),
        "funding": card.funding,
        "generated_from": None,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def fingerprint(number: str) -> str:
    """The same number always gives the same fingerprint, on every payment method."""
    return hashlib.sha256(f"stand-in fingerprint {number}".encode()).hexdigest()[:16]
