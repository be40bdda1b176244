"""Confirming a SetupIntent: the bank is asked whether the card may be kept, after 3-D Secure where it wants that."""

from deploy.standins.stripe import confirmation, errors, payment_methods
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.call import Call, Origin
from deploy.standins.stripe.ids import new_id
from deploy.standins.stripe.intent_view import view
from deploy.standins.stripe.tables import Json


def confirm(call: Call, intent: Json, method: Json, values: Json) -> None:
    account = call.account
    intent.update(payment_method=method["id"], next_action=None, last_setup_error=None)
    if confirmation.needs_authentication(account, intent, method):
        intent.update(status="requires_action", next_action=confirmation.next_action(call, intent, values))
        _note_attempt(account, intent, method, "requires_action")
        account.events.emit("setup_intent.requires_action", intent, call.origin)
        return
    error = _ask_bank(account, intent, method, call.origin)
    if error is not None:
        raise errors.Refusal(402, {**error, "setup_intent": view(intent, call)}, is_stored=True)


def authenticate(account: Account, intent: Json, *, succeeds: bool) -> None:
    """What the cardholder did on the bank's page."""
    if intent["status"] != "requires_action":
        raise errors.invalid(f"Nothing to authenticate: the status is {intent['status']}.")
    method = account.payment_methods.find(intent["payment_method"])
    if succeeds:
        _ask_bank(account, intent, method, None)
        return
    error = {
        "code": "setup_intent_authentication_failure",
        "message": "We are unable to authenticate your payment method. Please choose another one.",
        "payment_method": method,
        "type": "invalid_request_error",
    }
    _fail(account, intent, method, error, None)


def _ask_bank(account: Account, intent: Json, method: Json, origin: Origin | None) -> Json | None:
    card = account.cards[method["id"]]
    if card.decline is None or card.is_attachable:
        _succeed(account, intent, method, origin)
        return None
    error = {
        "code": card.decline.code,
        "decline_code": card.decline.decline_code,
        "message": card.decline.message,
        "payment_method": method,
        "type": "card_error",
    }
    _fail(account, intent, method, error, origin)
    return error


def _succeed(account: Account, intent: Json, method: Json, origin: Origin | None) -> None:
    account.set_up_methods.add(method["id"])
    if intent["customer"]:
        payment_methods.attach_to(account, method, intent["customer"], origin)
    intent.update(status="succeeded", next_action=None)
    _note_attempt(account, intent, method, "succeeded")
    account.events.emit("setup_intent.succeeded", intent, origin)


def _fail(account: Account, intent: Json, method: Json, error: Json, origin: Origin | None) -> None:
    _note_attempt(account, intent, method, "failed", error)
    intent.update(status="requires_payment_method", payment_method=None, next_action=None, last_setup_error=error)
    account.events.emit("setup_intent.setup_failed", intent, origin)


def _note_attempt(account: Account, intent: Json, method: Json, status: str, error: Json | None = None) -> None:
    """An attempt that waited for the cardholder goes on; otherwise it is a new one."""
    latest = account.setup_attempts.get(intent["latest_attempt"])
    if latest is not None and latest["status"] == "requires_action" and latest["payment_method"] == method["id"]:
        latest.update(status=status, setup_error=error)
        return
    attempt = {
        "id": new_id("setatt"),
        "object": "setup_attempt",
        "application": None,
        "created": account.clock.now(),
        "customer": intent["customer"],
        "customer_account": None,
        "flow_directions": None,
        "livemode": False,
        "on_behalf_of": None,
        "payment_method": method["id"],
        "payment_method_details": {"card": {"three_d_secure": None}, "type": "card"},
        "setup_error": error,
        "setup_intent": intent["id"],
        "status": status,
        "usage": intent["usage"],
    }
    account.setup_attempts.add(attempt)
    intent["latest_attempt"] = attempt["id"]
