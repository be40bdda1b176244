"""PaymentIntents: create, read, change, cancel. What happens on confirmation is in `confirmation`."""

from deploy.standins.stripe import confirmation, confirmation_tokens, currencies, customers, errors, params, refunds
from deploy.standins.stripe.call import Call
from deploy.standins.stripe.ids import new_id
from deploy.standins.stripe.intent_params import CANCEL, CONFIRM, CREATE, LIST, RETRIEVE, UPDATE
from deploy.standins.stripe.intent_view import allowed_to_see, view
from deploy.standins.stripe.tables import Json

CANCELLABLE = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action")
NEED_CONFIRM = ("return_url", "off_session", "confirmation_token")
CHANGEABLE = ("requires_payment_method", "requires_confirmation", "requires_action")

_PLAIN = (
    "customer",
    "description",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)

_NULL_AT_FIRST = (
    "application",
    "application_fee_amount",
    "canceled_at",
    "cancellation_reason",
    "customer_account",
    "excluded_payment_method_types",
    "last_payment_error",
    "latest_charge",
    "next_action",
    "on_behalf_of",
    "payment_method",
    "payment_method_configuration_details",
    "processing",
    "review",
    "source",
    "transfer_data",
)


def create(call: Call) -> Json:
    values = confirmation_tokens.filled_in(call.account, params.read(call.form, CREATE))
    _check_amount(values["amount"], values["currency"])
    if values.get("customer"):
        customers.living(call, values["customer"])
    wants_confirmation = values.get("confirm", False)
    if not wants_confirmation and any(values.get(name) for name in NEED_CONFIRM):
        raise errors.invalid(f"These need confirm=true: {', '.join(NEED_CONFIRM)}.", param="confirm")
    intent = _new_intent(call, values)
    if wants_confirmation:
        confirmation.check(call, intent, values)
    method = confirmation.given_method(call, values, intent)
    if method is not None:
        intent.update(payment_method=method["id"], status="requires_confirmation")
    call.account.payment_intents.add(intent)
    call.account.events.emit("payment_intent.created", intent, call.origin)
    if wants_confirmation:
        assert method is not None  # `check` refused otherwise
        confirmation.confirm(call, intent, method, values)
    return view(intent, call)


def _new_intent(call: Call, values: Json) -> Json:
    intent_id = new_id("pi")
    automatic = values.get("automatic_payment_methods") or {"enabled": True}
    is_automatic = automatic["enabled"] and not values.get("allowed_payment_method_types")
    shown = {"allow_redirects": automatic.get("allow_redirects", "always"), "enabled": True}
    return {
        **dict.fromkeys(_NULL_AT_FIRST),
        "id": intent_id,
        "object": "payment_intent",
        "allowed_payment_method_types": values.get("allowed_payment_method_types"),
        "amount": values["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "automatic_payment_methods": shown if is_automatic else None,
        "capture_method": values.get("capture_method", "automatic_async"),
        "client_secret": new_id(f"{intent_id}_secret", 25),
        "confirmation_method": values.get("confirmation_method", "automatic"),
        "created": call.account.clock.now(),
        "currency": values["currency"],
        "livemode": False,
        "metadata": params.merge_metadata({}, values.get("metadata", {})),
        "payment_method_options": _options(values),
        "payment_method_types": ["card"],
        "status": "requires_payment_method",
        **{name: values.get(name) for name in _PLAIN},
    }


def _options(values: Json) -> Json:
    card = (values.get("payment_method_options") or {}).get("card") or {}
    return {"card": {"request_three_d_secure": "automatic", **card}}


def _check_amount(amount: int, currency: str) -> None:
    if currency not in currencies.CURRENCIES:
        raise errors.invalid(f"Invalid currency: {currency}.", param="currency")
    if amount < currencies.minimum(currency):
        message = f"Amount must be at least {currencies.minimum(currency)} in the smallest unit of {currency}."
        raise errors.invalid(message, param="amount", code="amount_too_small")
    if amount > currencies.MAXIMUM:
        message = f"Amount must be no more than {currencies.MAXIMUM} in the smallest unit of {currency}."
        raise errors.invalid(message, param="amount", code="amount_too_large")


def retrieve(call: Call) -> Json:
    values = params.read(call.form, RETRIEVE)
    return view(allowed_to_see(call, values, call.account.payment_intents), call)


def confirm(call: Call) -> Json:
    values = confirmation_tokens.filled_in(call.account, params.read(call.form, CONFIRM))
    intent = allowed_to_see(call, values, call.account.payment_intents)
    confirmation.check_state(call, intent)
    confirmation.check(call, intent, values)
    given = confirmation.given_method(call, values, intent)
    method = given or call.account.payment_methods.find(intent["payment_method"])
    for name in ("receipt_email", "setup_future_usage", "shipping"):
        if name in values:
            intent[name] = values[name]
    if values.get("payment_method_options"):
        intent["payment_method_options"] = _options(values)
    confirmation.confirm(call, intent, method, values)
    return view(intent, call)


def update(call: Call) -> Json:
    values = params.read(call.form, UPDATE)
    intent = call.account.payment_intents.find(call.path["intent"])
    call.account.limits.count_update(intent["id"])
    touches_money = {"amount", "currency", "payment_method", "payment_method_data"} & values.keys()
    if intent["status"] == "canceled" or (touches_money and intent["status"] not in CHANGEABLE):
        message = f"This PaymentIntent could not be updated because it has a status of {intent['status']}."
        raise errors.unexpected_state(message, view(intent, call))
    if touches_money:
        _change_money(call, intent, values)
    if "metadata" in values:
        intent["metadata"] = params.merge_metadata(intent["metadata"], values["metadata"])
    if values.get("customer"):
        customers.living(call, values["customer"])
    intent.update({name: values[name] for name in _PLAIN if name in values})
    if values.get("payment_method_options"):
        intent["payment_method_options"] = _options(values)
    call.account.search.note(intent)
    return view(intent, call)


def _change_money(call: Call, intent: Json, values: Json) -> None:
    wanted: Json = {name: values[name] for name in ("amount", "currency") if name in values}
    _check_amount(**{"amount": intent["amount"], "currency": intent["currency"], **wanted})
    method = confirmation.given_method(call, values, intent)
    intent.update(wanted)
    if method is not None:
        intent["payment_method"] = method["id"]
    if method is not None or intent["status"] == "requires_action":
        intent.update(status="requires_confirmation", next_action=None)


def cancel(call: Call) -> Json:
    values = params.read(call.form, CANCEL)
    intent = call.account.payment_intents.find(call.path["intent"])
    if intent["status"] not in CANCELLABLE:
        message = (
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only one "
            f"with one of the following statuses may be canceled: {', '.join(CANCELLABLE)}, processing."
        )
        raise errors.unexpected_state(message, view(intent, call))
    held = call.account.charges.get(intent["latest_charge"])
    if intent["status"] == "requires_capture" and held is not None and not held["captured"]:
        refunds.release(call.account, held, held["amount"], call.origin, None)
    intent.update(
        status="canceled",
        canceled_at=call.account.clock.now(),
        cancellation_reason=values.get("cancellation_reason"),
        amount_capturable=0,
        next_action=None,
    )
    call.account.events.emit("payment_intent.canceled", intent, call.origin)
    return view(intent, call)


def list_all(call: Call) -> Json:
    values = params.read(call.form, LIST)
    wanted = {"customer": values.get("customer")}
    return call.account.payment_intents.page("/v1/payment_intents", values, wanted=wanted)
