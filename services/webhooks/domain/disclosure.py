"""What staff see of a raw event: what is known to be harmless, by its name; everything else keeps its place, hidden.

Events carry client secrets, mail and postal addresses, names and details of cards. Stripe adds fields all the time, so
the rule allows rather than forbids: true, false and null are shown; numbers are, outside of what is about a card or a
person; a text is shown if its field is in SHOWN, or if it is an id of Stripe's. What is shown goes through the same
filter as the logs, as a second net.
"""

import re
from collections.abc import Mapping
from typing import Any

from shared.redaction import redact_value

HIDDEN = "[hidden]"

# Fields whose text says what happened, and nothing of anybody.
SHOWN = frozenset(
    {
        "id", "object", "type", "api_version", "status", "currency", "created", "livemode", "reason", "code",
        "decline_code", "advice_code", "network_decline_code", "network_advice_code", "network_status",
        "outcome_type", "risk_level", "seller_message_code", "capture_method", "confirmation_method",
        "cancellation_reason", "payment_method_types", "setup_future_usage", "requested_by_type", "canceled_at",
        "failure_code", "outcome", "account", "context", "order_id", "attempt_id", "traceparent", "fraud_type",
        "closed_reason", "opened_reason",
    }
)  # fmt: skip
# What is about a card or a person is hidden whole, whatever it holds; its fields' names stay.
PRIVATE = frozenset(
    {
        "card", "billing_details", "shipping", "customer_details", "receipt_email", "address", "evidence",
        "payment_method_details", "owner", "customer_email", "customer_name", "customer_purchase_ip", "ip",
        "email", "name", "phone", "bank_account", "us_bank_account", "sepa_debit", "exp_month", "exp_year",
        "last4", "fingerprint", "iin", "client_secret", "next_action", "user_agent",
        "automatic_payment_methods",
    }
)  # fmt: skip
# Of what the shop itself wrote into metadata, only this.
SHOWN_METADATA = frozenset({"order_id", "attempt_id", "traceparent"})

_ID = re.compile(r"(?:acct|ch|cus|dp|evt|evtrt|pi|pm|po|prv|py|re|req|seti|src|txn|issfr|we|du)_[A-Za-z0-9]{1,64}")
_KEY = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_TEXT = re.compile(r"[\x20-\x7e]{0,200}")
MOST_ENTRIES = 100
DEEPEST = 20


def disclose(event: Mapping[str, Any]) -> Any:
    """The event as it may be shown."""
    return redact_value(_shown(event, "", 0, is_private=False))


def _shown(value: Any, key: str, depth: int, *, is_private: bool) -> Any:
    is_private = is_private or key.lower() in PRIVATE
    if isinstance(value, dict):
        return HIDDEN if depth >= DEEPEST else _fields(value, key, depth, is_private=is_private)
    if isinstance(value, list):
        return HIDDEN if depth >= DEEPEST else _entries(value, key, depth, is_private=is_private)
    if value is None or isinstance(value, bool):
        return value
    if is_private:
        return HIDDEN
    if isinstance(value, str):
        return value if _is_harmless(value, key) else HIDDEN
    return value


def _fields(value: dict[str, Any], key: str, depth: int, *, is_private: bool) -> dict[str, Any]:
    names = list(value)[:MOST_ENTRIES]
    if key == "metadata":
        names = [name for name in names if name in SHOWN_METADATA]
    shown = {
        (name if _KEY.fullmatch(name) else HIDDEN): _shown(value[name], name, depth + 1, is_private=is_private)
        for name in names
    }
    if left := len(value) - len(names):
        shown["[more]"] = f"{left} fields that are not shown"
    return shown


def _entries(value: list[Any], key: str, depth: int, *, is_private: bool) -> list[Any]:
    shown = [_shown(each, key, depth + 1, is_private=is_private) for each in value[:MOST_ENTRIES]]
    return [*shown, f"[{len(value) - MOST_ENTRIES} more]"] if len(value) > MOST_ENTRIES else shown


def _is_harmless(text: str, key: str) -> bool:
    return _ID.fullmatch(text) is not None or (key in SHOWN and _TEXT.fullmatch(text) is not None)
