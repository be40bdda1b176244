"""Who may see a PaymentIntent, and how much of it."""

import hmac

from deploy.standins.stripe import errors
from deploy.standins.stripe.call import Call
from deploy.standins.stripe.tables import Json, Table

# neither metadata nor customer nor charge.
PUBLIC = (
    "id", "object", "amount", "amount_details", "automatic_payment_methods", "canceled_at",
    "cancellation_reason", "capture_method", "client_secret", "confirmation_method", "created", "currency",
    "description", "last_payment_error", "livemode", "next_action", "payment_method", "payment_method_types",
    "processing", "receipt_email", "setup_future_usage", "shipping", "source", "status",
)  # fmt: skip
PUBLIC_OF_SETUP = (
    "id", "object", "automatic_payment_methods", "cancellation_reason", "client_secret", "created", "description",
    "last_setup_error", "livemode", "next_action", "payment_method", "payment_method_types", "status", "usage",
)  # fmt: skip


def view(intent: Json, call: Call) -> Json:
    if not call.is_publishable:
        return intent
    public = PUBLIC if intent["object"] == "payment_intent" else PUBLIC_OF_SETUP
    return {name: intent[name] for name in public}


def allowed_to_see(call: Call, values: Json, table: Table) -> Json:
    """A browser holds a publishable key and proves itself with the client secret."""
    intent = table.find(call.path["intent"])
    given = values.get("client_secret")
    if given is None:
        if call.is_publishable:
            raise errors.missing_parameter("client_secret")
        return intent
    if not hmac.compare_digest(given.encode(), intent["client_secret"].encode()):
        message = "The client_secret provided does not match the client_secret associated with the intent."
        raise errors.invalid(message, param="client_secret", code=f"{intent['object']}_invalid_parameter")
    return intent
