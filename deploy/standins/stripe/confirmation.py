"""Confirming a PaymentIntent: the bank is asked, or the shopper is sent to authenticate first."""

from deploy.standins.stripe import capture, cards, charges, confirmation_tokens, errors, payment_methods
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.call import Call, Origin
from deploy.standins.stripe.cards import Decline
from deploy.standins.stripe.ids import new_id
from deploy.standins.stripe.intent_view import view
from deploy.standins.stripe.tables import Json

METHOD = ("payment_method", "payment_method_data", "confirmation_token")
CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")


def check_state(call: Call, intent: Json) -> None:
    if intent["status"] not in CONFIRMABLE:
        message = f"This PaymentIntent's status is {intent['status']}: it cannot be confirmed."
        raise errors.unexpected_state(message, view(intent, call))
    if call.is_publishable and intent["confirmation_method"] == "manual":
        raise errors.invalid("A PaymentIntent with confirmation_method=manual is confirmed with a secret key.")


def check(call: Call, intent: Json, values: Json) -> None:
    """Before anything is changed."""
    if not (any(values.get(name) for name in METHOD) or intent["payment_method"]):
        #
        message = "You cannot confirm this intent because it's missing a payment method."
        raise errors.invalid(message, param="payment_method", code=f"{intent['object']}_unexpected_state")
    automatic = intent["automatic_payment_methods"]
    may_redirect = automatic is not None and automatic["allow_redirects"] == "always"
    has_way_back = values.get("return_url") or values.get("use_stripe_sdk") or values.get("off_session")
    if may_redirect and not has_way_back and not call.is_publishable:
        #
        message = (
            "This intent accepts payment methods that may redirect your customer: give a "
            "`return_url`, or set `automatic_payment_methods[allow_redirects]` to `never`."
        )
        raise errors.invalid(message, param="return_url")


def given_method(call: Call, values: Json, intent: Json) -> Json | None:
    if sum(bool(values.get(name)) for name in METHOD) > 1:
        message = "Give only one of payment_method, payment_method_data and confirmation_token."
        raise errors.invalid(message, param="payment_method")
    method = _method_of(call, values, intent)
    if method is not None and method["type"] == "sepa_debit" and intent["currency"] != "eur":
        raise errors.invalid("A SEPA debit is in euros.", param="payment_method")
    return method


def _method_of(call: Call, values: Json, intent: Json) -> Json | None:
    if values.get("payment_method"):
        method = payment_methods.resolve(call.account, values["payment_method"])
        payment_methods.check_usable(call.account, method, intent["customer"])
        return method
    if values.get("payment_method_data"):
        return payment_methods.from_data(call.account, values["payment_method_data"])
    if values.get("confirmation_token"):
        return confirmation_tokens.redeem(call.account, values["confirmation_token"], intent)
    return None


def confirm(call: Call, intent: Json, method: Json, values: Json) -> None:
    account = call.account
    intent.update(payment_method=method["id"], next_action=None, last_payment_error=None)
    if not needs_authentication(account, intent, method):
        intent["status"] = "requires_confirmation"
        _charge(call, intent, method)
        return
    if values.get("off_session") or values.get("error_on_requires_action"):
        card = account.cards[method["id"]]
        charge = charges.record(account, intent, method, (card, cards.AUTHENTICATION_REQUIRED), call.origin)
        raise _declined(call, intent, method, charge)
    intent.update(status="requires_action", next_action=next_action(call, intent, values))
    account.events.emit("payment_intent.requires_action", intent, call.origin)


def needs_authentication(account: Account, intent: Json, method: Json) -> bool:
    asked = (intent["payment_method_options"].get("card") or {}).get("request_three_d_secure")
    how = account.cards[method["id"]].authentication
    return (
        asked in {"any", "challenge"}
        or how == "always"
        or (how == "unless_set_up" and method["id"] not in account.set_up_methods)
    )


def next_action(call: Call, intent: Json, values: Json) -> Json:
    page = f"{call.base_url}/authenticate/{intent['id']}"
    if values.get("return_url") and not values.get("use_stripe_sdk"):
        there = {"return_url": values["return_url"], "url": page}
        return {"redirect_to_url": there, "type": "redirect_to_url"}
    sdk = {"type": "three_d_secure_redirect", "stripe_js": page, "source": new_id("payatt")}
    return {"type": "use_stripe_sdk", "use_stripe_sdk": sdk}


def _charge(call: Call, intent: Json, method: Json) -> None:
    if method["type"] == "sepa_debit":
        _debit(call, intent, method)
        return
    charge = charges.charge_card(call.account, intent, method, call.origin)
    if charge["status"] == "failed":
        raise _declined(call, intent, method, charge)
    _succeed(call.account, intent, method, call.origin)


def _debit(call: Call, intent: Json, method: Json) -> None:
    #
    account = call.account
    charge = charges.open_debit(account, intent, method, call.origin)
    intent["status"] = "processing"
    account.events.emit("payment_intent.processing", intent, call.origin)

    def answered() -> None:
        charges.close_debit(account, charge)
        if charge["status"] == "failed":
            _fail(account, intent, method, charge, None)
        else:
            _succeed(account, intent, method, None)

    account.clock.later(account.config.debit_delay_s, answered)


def _succeed(account: Account, intent: Json, method: Json, origin: Origin | None) -> None:
    intent.update(next_action=None, last_payment_error=None)
    if intent["customer"] and intent["setup_future_usage"]:
        payment_methods.attach_to(account, method, intent["customer"], origin)
        account.set_up_methods.add(method["id"])
    if method["customer"] is None:
        account.used_methods.add(method["id"])
    if intent["capture_method"] == "manual":
        intent.update(status="requires_capture", amount_capturable=intent["amount"])
        account.events.emit("payment_intent.amount_capturable_updated", intent, origin)
        capture.watch(account, intent)
        return
    intent.update(status="succeeded", amount_received=intent["amount"])
    account.events.emit("payment_intent.succeeded", intent, origin)


def _declined(call: Call, intent: Json, method: Json, charge: Json) -> errors.Refusal:
    error = _fail(call.account, intent, method, charge, call.origin)
    return errors.Refusal(402, {**error, "payment_intent": view(intent, call)}, is_stored=True)


def _fail(account: Account, intent: Json, method: Json, charge: Json, origin: Origin | None) -> Json:
    decline = _decline_of(account, method, charge)
    error: Json = {
        "charge": charge["id"],
        "code": decline.code,
        "decline_code": decline.decline_code,
        "message": decline.message,
        "payment_method": method,
        "type": "card_error",
    }
    if decline.advice_code:
        error["advice_code"] = decline.advice_code
    if decline.network_decline_code:
        error["network_decline_code"] = decline.network_decline_code
    _back_to_method(account, intent, error, origin)
    return error


def _decline_of(account: Account, method: Json, charge: Json) -> Decline:
    if charge["failure_code"] == cards.AUTHENTICATION_REQUIRED.code:
        return cards.AUTHENTICATION_REQUIRED
    decline = account.cards[method["id"]].decline
    assert decline is not None  # the charge failed, so the card declines
    return decline


def _back_to_method(account: Account, intent: Json, error: Json, origin: Origin | None) -> None:
    #
    intent.update(status="requires_payment_method", payment_method=None, next_action=None, last_payment_error=error)
    account.failures[intent["id"]] = account.failures.get(intent["id"], 0) + 1
    if account.failures[intent["id"]] < account.config.confirm_limit:
        account.events.emit("payment_intent.payment_failed", intent, origin)
        return
    intent.update(status="canceled", canceled_at=account.clock.now(), cancellation_reason="automatic")
    account.events.emit("payment_intent.payment_failed", intent, origin)
    account.events.emit("payment_intent.canceled", intent, origin)


def authenticate(account: Account, intent: Json, *, succeeds: bool) -> None:
    """What the shopper did on the bank's page. Nobody called the API: the events carry no request."""
    if intent["status"] != "requires_action":
        raise errors.invalid(f"Nothing to authenticate: the status is {intent['status']}.")
    method = account.payment_methods.find(intent["payment_method"])
    if not succeeds:
        error = {
            "code": "payment_intent_authentication_failure",
            "message": "We are unable to authenticate your payment method. Please choose another one.",
            "payment_method": method,
            "type": "invalid_request_error",
        }
        _back_to_method(account, intent, error, None)
        return
    charge = charges.charge_card(account, intent, method, None)
    if charge["status"] == "failed":
        _fail(account, intent, method, charge, None)
    else:
        _succeed(account, intent, method, None)
