"""ConfirmationTokens: what the shopper typed, kept for the server to confirm with, once and for half a day."""

from deploy.standins.stripe import cards, errors, params, payment_methods
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.call import Call
from deploy.standins.stripe.cards import Card
from deploy.standins.stripe.ids import new_id
from deploy.standins.stripe.params import Spec
from deploy.standins.stripe.tables import Json

KEPT_S = 12 * 3600

CREATE = Spec(
    {
        "payment_method": params.text(),
        "payment_method_data": payment_methods.DATA,
        "return_url": params.text(),
        "setup_future_usage": params.choice("off_session", "on_session"),
        "shipping": params.SHIPPING,
        "expand": params.EXPAND,
    }
)
NOTHING = Spec({"expand": params.EXPAND})
_FILLED = ("return_url", "setup_future_usage", "shipping")


def create(call: Call) -> Json:
    """Stripe.js makes one in the browser; the test helper does it with a secret key."""
    values = params.read(call.form, CREATE)
    account = call.account
    method, card = _method(account, values)
    shown = ("allow_redisplay", "billing_details", card.kind, "customer", "type")
    now = account.clock.now()
    token: Json = {
        "id": new_id("ctoken"),
        "object": "confirmation_token",
        "created": now,
        "expires_at": now + KEPT_S,
        "livemode": False,
        "mandate_data": None,
        "payment_intent": None,
        "payment_method_options": None,
        "payment_method_preview": {name: method[name] for name in shown},
        "return_url": values.get("return_url"),
        "setup_future_usage": values.get("setup_future_usage"),
        "setup_intent": None,
        "shipping": _shipping(values.get("shipping")),
        "use_stripe_sdk": True,
    }
    account.token_methods[token["id"]] = method, card
    return account.confirmation_tokens.add(token)


def _method(account: Account, values: Json) -> tuple[Json, Card]:
    if bool(values.get("payment_method")) == bool(values.get("payment_method_data")):
        raise errors.invalid("Give one of payment_method and payment_method_data.", param="payment_method_data")
    if values.get("payment_method_data"):
        return payment_methods.of_data(account, values["payment_method_data"])
    card = cards.named(values["payment_method"])
    if card is not None:
        return payment_methods.of_card(account, card)
    method = payment_methods.resolve(account, values["payment_method"])
    return method, account.cards[method["id"]]


def _shipping(given: Json | None) -> Json | None:
    if given is None:
        return None
    parts = ("city", "country", "line1", "line2", "postal_code", "state")
    address = {part: (given.get("address") or {}).get(part) for part in parts}
    return {"address": address, "name": given["name"], "phone": given.get("phone")}


def retrieve(call: Call) -> Json:
    params.read(call.form, NOTHING)
    return call.account.confirmation_tokens.find(call.path["token"])


def filled_in(account: Account, values: Json) -> Json:
    """What the request leaves open is taken from its token; nothing is used up yet."""
    if not values.get("confirmation_token"):
        return values
    if values.get("payment_method") or values.get("payment_method_data"):
        raise errors.invalid("Give either a confirmation_token or a payment method.", param="confirmation_token")
    token = account.confirmation_tokens.find(values["confirmation_token"], "confirmation_token")
    used_by = token["payment_intent"] or token["setup_intent"]
    if used_by:
        message = f"This ConfirmationToken was used already, by {used_by}."
        raise errors.invalid(message, param="confirmation_token")
    if token["expires_at"] <= account.clock.now():
        raise errors.invalid("This ConfirmationToken has expired.", param="confirmation_token")
    return {**{name: token[name] for name in _FILLED if token[name] is not None}, **values}


def redeem(account: Account, token_id: str, intent: Json) -> Json:
    token = account.confirmation_tokens.find(token_id, "confirmation_token")
    token[intent["object"]] = intent["id"]
    method, card = account.token_methods.pop(token_id)
    return account.payment_methods.get(method["id"]) or payment_methods.add(account, method, card)
