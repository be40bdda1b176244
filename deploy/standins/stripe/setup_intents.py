"""SetupIntents: a card is authenticated and saved for later, without a payment."""

from deploy.standins.stripe import confirmation, confirmation_tokens, customers, errors, params, setup_confirmation
from deploy.standins.stripe.call import Call
from deploy.standins.stripe.ids import new_id
from deploy.standins.stripe.intent_params import AUTOMATIC, THREE_D_SECURE
from deploy.standins.stripe.intent_view import allowed_to_see, view
from deploy.standins.stripe.params import Reader, Spec
from deploy.standins.stripe.payment_methods import DATA
from deploy.standins.stripe.tables import Json

_METHOD: dict[str, Reader] = {
    "payment_method": params.text(),
    "payment_method_data": DATA,
    "payment_method_options": params.nested({"card": params.nested({"request_three_d_secure": THREE_D_SECURE})}),
    "expand": params.EXPAND,
}
_CONFIRMING: dict[str, Reader] = {
    "confirmation_token": params.text(),
    "return_url": params.text(),
    "use_stripe_sdk": params.flag,
}
_OWN: dict[str, Reader] = {
    "customer": params.text(),
    "description": params.text(1000),
    "metadata": params.metadata,
}
CREATE = Spec(
    {
        **_METHOD,
        **_CONFIRMING,
        **_OWN,
        "allowed_payment_method_types": params.many(params.choice("card")),
        "automatic_payment_methods": AUTOMATIC,
        "confirm": params.flag,
        "usage": params.choice("off_session", "on_session"),
    }
)
CONFIRM = Spec({**_METHOD, **_CONFIRMING, "client_secret": params.text()})
UPDATE = Spec({**_METHOD, **_OWN})
RETRIEVE = Spec({"client_secret": params.text(), "expand": params.EXPAND})
CANCEL = Spec(
    {
        "cancellation_reason": params.choice("abandoned", "duplicate", "requested_by_customer"),
        "expand": params.EXPAND,
    }
)
LIST = Spec({**params.PAGE, "customer": params.text(), "payment_method": params.text()})
LIST_ATTEMPTS = Spec({**params.PAGE, "setup_intent": params.text()}, required=("setup_intent",))

OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")


def create(call: Call) -> Json:
    values = confirmation_tokens.filled_in(call.account, params.read(call.form, CREATE))
    if values.get("customer"):
        customers.living(call, values["customer"])
    wants_confirmation = values.get("confirm", False)
    if not wants_confirmation and (values.get("return_url") or values.get("confirmation_token")):
        raise errors.invalid("return_url and confirmation_token need confirm=true.", param="confirm")
    intent = _new_intent(call, values)
    if wants_confirmation:
        confirmation.check(call, intent, values)
    method = confirmation.given_method(call, values, intent)
    if method is not None:
        intent.update(payment_method=method["id"], status="requires_confirmation")
    call.account.setup_intents.add(intent)
    call.account.events.emit("setup_intent.created", intent, call.origin)
    if wants_confirmation:
        assert method is not None  # `check` refused otherwise
        setup_confirmation.confirm(call, intent, method, values)
    return intent


def _new_intent(call: Call, values: Json) -> Json:
    intent_id = new_id("seti")
    automatic = values.get("automatic_payment_methods") or {"enabled": True}
    is_automatic = automatic["enabled"] and not values.get("allowed_payment_method_types")
    shown = {"allow_redirects": automatic.get("allow_redirects", "always"), "enabled": True}
    card = (values.get("payment_method_options") or {}).get("card") or {}
    return {
        "id": intent_id,
        "object": "setup_intent",
        "allowed_payment_method_types": values.get("allowed_payment_method_types"),
        "application": None,
        "automatic_payment_methods": shown if is_automatic else None,
        "cancellation_reason": None,
        "client_secret": new_id(f"{intent_id}_secret", 25),
        "created": call.account.clock.now(),
        "customer": values.get("customer"),
        "customer_account": None,
        "description": values.get("description"),
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": params.merge_metadata({}, values.get("metadata", {})),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {"mandate_options": None, "network": None, "request_three_d_secure": "automatic", **card}
        },
        "payment_method_types": ["card"],
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": values.get("usage", "off_session"),
    }


def _check_open(call: Call, intent: Json, what: str) -> None:
    if intent["status"] not in OPEN:
        message = f"This SetupIntent could not be {what} because it has a status of {intent['status']}."
        raise errors.unexpected_setup_state(message, view(intent, call))


def confirm(call: Call) -> Json:
    values = confirmation_tokens.filled_in(call.account, params.read(call.form, CONFIRM))
    intent = allowed_to_see(call, values, call.account.setup_intents)
    _check_open(call, intent, "confirmed")
    confirmation.check(call, intent, values)
    given = confirmation.given_method(call, values, intent)
    method = given or call.account.payment_methods.find(intent["payment_method"])
    setup_confirmation.confirm(call, intent, method, values)
    return view(intent, call)


def update(call: Call) -> Json:
    values = params.read(call.form, UPDATE)
    intent = call.account.setup_intents.find(call.path["intent"])
    _check_open(call, intent, "updated")
    if values.get("customer"):
        customers.living(call, values["customer"])
    method = confirmation.given_method(call, values, {**intent, **values})
    if method is not None:
        intent.update(payment_method=method["id"], status="requires_confirmation", next_action=None)
    if "metadata" in values:
        intent["metadata"] = params.merge_metadata(intent["metadata"], values["metadata"])
    intent.update({name: values[name] for name in ("customer", "description") if name in values})
    return intent


def cancel(call: Call) -> Json:
    values = params.read(call.form, CANCEL)
    intent = call.account.setup_intents.find(call.path["intent"])
    _check_open(call, intent, "canceled")
    intent.update(status="canceled", cancellation_reason=values.get("cancellation_reason"), next_action=None)
    call.account.events.emit("setup_intent.canceled", intent, call.origin)
    return intent


def retrieve(call: Call) -> Json:
    values = params.read(call.form, RETRIEVE)
    return view(allowed_to_see(call, values, call.account.setup_intents), call)


def list_all(call: Call) -> Json:
    values = params.read(call.form, LIST)
    wanted = {name: values.get(name) for name in ("customer", "payment_method")}
    return call.account.setup_intents.page("/v1/setup_intents", values, wanted=wanted)


def list_attempts(call: Call) -> Json:
    values = params.read(call.form, LIST_ATTEMPTS)
    wanted = {"setup_intent": values["setup_intent"]}
    return call.account.setup_attempts.page("/v1/setup_attempts", values, wanted=wanted)
