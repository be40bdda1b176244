"""What the PaymentIntent endpoints take.

`payment_method_types` is not among it: API 2026-09-30.endive removed it, so it is an unknown parameter.
"""

from typing import Any

from deploy.standins.stripe import params
from deploy.standins.stripe.params import Reader, Spec
from deploy.standins.stripe.payment_methods import DATA

_EMAIL = params.text(512)
_FUTURE = params.choice("off_session", "on_session")
_CAPTURE = params.choice("automatic", "automatic_async", "manual")
_TYPES = params.many(params.choice("card"))


def _currency(value: Any, param: str) -> str:
    return str(params.text(3)(value, param) or "").lower()


THREE_D_SECURE = params.choice("any", "automatic", "challenge")
_OPTIONS = params.nested({"card": params.nested({"request_three_d_secure": THREE_D_SECURE})})

_SHARED: dict[str, Reader] = {
    "payment_method": params.text(),
    "payment_method_data": DATA,
    "payment_method_options": _OPTIONS,
    "receipt_email": _EMAIL,
    "setup_future_usage": _FUTURE,
    "shipping": params.SHIPPING,
    "expand": params.EXPAND,
}

_CONFIRMING: dict[str, Reader] = {
    "confirmation_token": params.text(),
    "error_on_requires_action": params.flag,
    "off_session": params.flag,
    "return_url": params.text(),
    "use_stripe_sdk": params.flag,
}

_AMOUNT = params.integer(minimum=1)
AUTOMATIC = params.nested(
    {"enabled": params.flag, "allow_redirects": params.choice("always", "never")},
    required=("enabled",),
)

CREATE = Spec(
    {
        **_SHARED,
        **_CONFIRMING,
        "allowed_payment_method_types": _TYPES,
        "amount": _AMOUNT,
        "automatic_payment_methods": AUTOMATIC,
        "capture_method": _CAPTURE,
        "confirm": params.flag,
        "confirmation_method": params.choice("automatic", "manual"),
        "currency": _currency,
        "customer": params.text(),
        "description": params.text(1000),
        "metadata": params.metadata,
        "statement_descriptor": params.text(22),
        "statement_descriptor_suffix": params.text(22),
        "transfer_group": params.text(),
    },
    required=("amount", "currency"),
)

CONFIRM = Spec({**_SHARED, **_CONFIRMING, "client_secret": params.text()})

UPDATE = Spec(
    {
        **_SHARED,
        "amount": _AMOUNT,
        "currency": _currency,
        "customer": params.text(),
        "description": params.text(1000),
        "metadata": params.metadata,
        "statement_descriptor": params.text(22),
        "statement_descriptor_suffix": params.text(22),
        "transfer_group": params.text(),
    }
)

RETRIEVE = Spec({"client_secret": params.text(), "expand": params.EXPAND})
CANCEL = Spec(
    {
        "cancellation_reason": params.choice("abandoned", "duplicate", "fraudulent", "requested_by_customer"),
        "expand": params.EXPAND,
    }
)
CAPTURE = Spec(
    {
        "amount_to_capture": _AMOUNT,
        "final_capture": params.flag,
        "statement_descriptor_suffix": params.text(22),
        "expand": params.EXPAND,
        "metadata": params.metadata,
    }
)
LIST = Spec({**params.PAGE, "customer": params.text()})
