"""Payment methods: cards by test number or by `pm_card_` name, each use of which makes a fresh one."""

import hashlib

from deploy.standins.stripe import cards, params
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.call import Call, Origin
from deploy.standins.stripe.cards import BY_NUMBER, Card, Decline
from deploy.standins.stripe.errors import Refusal, missing_object, missing_parameter
from deploy.standins.stripe.ids import new_id
from deploy.standins.stripe.params import Spec
from deploy.standins.stripe.tables import Json

CARD = params.nested(
    {
        "number": params.text(25),
        "exp_month": params.integer(),
        "exp_year": params.integer(),
        "cvc": params.text(10),
    },
    required=("number", "exp_month", "exp_year"),
)
BILLING = params.nested(
    {"address": params.ADDRESS, "email": params.text(), "name": params.text(), "phone": params.PHONE}
)
FIELDS: dict[str, params.Reader] = {
    "type": params.choice("card"),
    "card": CARD,
    "billing_details": BILLING,
    "metadata": params.metadata,
    "allow_redisplay": params.choice("always", "limited", "unspecified"),
}
DATA = params.nested(FIELDS, required=("type",))
CREATE = Spec({**FIELDS, "expand": params.EXPAND}, required=("type",))
ATTACH = Spec({"customer": params.text(), "expand": params.EXPAND}, required=("customer",))
RETRIEVE = Spec({"expand": params.EXPAND})


def create(call: Call) -> Json:
    return from_data(call.account, params.read(call.form, CREATE))


def retrieve(call: Call) -> Json:
    params.read(call.form, RETRIEVE)
    return call.account.payment_methods.find(call.path["payment_method"])


def attach(call: Call) -> Json:
    values = params.read(call.form, ATTACH)
    method = resolve(call.account, call.path["payment_method"])
    call.account.customers.find(values["customer"], "customer")
    attach_to(call.account, method, values["customer"], call.origin)
    return method


def attach_to(account: Account, method: Json, customer: str, origin: Origin | None) -> None:
    if method["customer"] != customer:
        method["customer"] = customer
        account.events.emit("payment_method.attached", method, origin)


def resolve(account: Account, method_id: str) -> Json:
    card = cards.named(method_id)
    if card is not None:
        year = 1970 + account.clock.now() // 31_556_952
        return _add(account, card, {"exp_month": 12, "exp_year": year + 2})
    if method_id.startswith("pm_card_"):
        raise missing_object("PaymentMethod", method_id, "payment_method")
    return account.payment_methods.find(method_id)


def from_data(account: Account, values: Json) -> Json:
    if values.get("card") is None:
        raise missing_parameter("card")
    details = values["card"]
    card = _card_of(account, details)
    return _add(account, card, details, values)


def _card_of(account: Account, details: Json) -> Card:
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


def _add(account: Account, card: Card, details: Json, values: Json | None = None) -> Json:
    values = values or {}
    method = {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": values.get("allow_redisplay", "unspecified"),
        "billing_details": billing_details(values.get("billing_details")),
        "card": _card_json(card, details),
        "created": account.clock.now(),
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": values.get("metadata", {}),
        "type": "card",
    }
    account.cards[method["id"]] = card
    return account.payment_methods.add(method)


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


def _card_json(card: Card, details: Json) -> Json:
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
