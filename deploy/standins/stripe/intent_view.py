"""Who may see a PaymentIntent, and how much of it."""

import hmac

from deploy.standins.stripe import errors
from deploy.standins.stripe.call import Call
from deploy.standins.stripe.tables import Json

# neither metadata nor customer nor charge.
PUBLIC = (
    "id", "object", "amount", "amount_details", "automatic_payment_methods", "canceled_at",
    "cancellation_reason", "capture_method", "client_secret", "confirmation_method", "created", "currency",
    "description", "last_payment_error", "livemode", "next_action", "payment_method", "payment_method_types",
    "processing", "receipt_email", "setup_future_usage", "shipping", "source", "status",
)  # fmt: skip


def view(intent: Json, call: Call) -> Json:
    return {name: intent[name] for name in PUBLIC} if call.is_publishable else intent


def allowed_to_see(call: Call, values: Json) -> Json:
    """A browser holds a publishable key and proves itself with the client secret."""
    intent = call.account.payment_intents.find(call.path["intent"])
    given = values.get("client_secret")
    if given is None:
        if call.is_publishable:
            raise errors.missing_parameter("client_secret")
        return intent
    if not hmac.compare_digest(given.encode(), intent["client_secret"].encode()):
        message = "The client_secret provided does not match the client_secret associated with the PaymentIntent."
        raise errors.invalid(message, param="client_secret", code="payment_intent_invalid_parameter")
    return intent
