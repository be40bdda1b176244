"""Why a payment was refused: seven categories of Stripe's codes."""

from collections.abc import Mapping

CATEGORIES: Mapping[str, frozenset[str]] = {
    "insufficient_funds": frozenset(
        {"insufficient_funds", "card_velocity_exceeded", "withdrawal_count_limit_exceeded", "invalid_amount"}
    ),
    "card_data": frozenset(
        {"expired_card", "incorrect_number", "invalid_number", "incorrect_cvc", "invalid_cvc", "invalid_expiry_month",
         "invalid_expiry_year", "incorrect_zip", "incorrect_address", "incorrect_pin", "invalid_pin",
         "new_account_information_available", "confirm_card_data"}
    ),
    "authentication": frozenset(
        {"authentication_required", "authentication_not_handled", "mobile_device_authentication_required",
         "offline_pin_required", "online_or_offline_pin_required", "payment_intent_authentication_failure"}
    ),
    "card_unusable": frozenset(
        {"lost_card", "stolen_card", "pickup_card", "restricted_card", "invalid_account", "card_not_supported",
         "currency_not_supported", "not_permitted", "service_not_allowed", "transaction_not_allowed",
         "security_violation", "stop_payment_order", "revocation_of_authorization",
         "revocation_of_all_authorizations", "pin_try_exceeded", "do_not_try_again",
         "previously_declined_do_not_retry"}
    ),
    "fraud_risk": frozenset({"fraudulent", "merchant_blacklist", "highest_risk_level", "rule", "blocklist"}),
    "technical": frozenset(
        {"processing_error", "issuer_not_available", "reenter_transaction", "duplicate_transaction",
         "testmode_decline"}
    ),
}  # fmt: skip


def failure_category(*codes: str | None) -> str:
    """The category of a refusal; the codes come most telling first (advice, outcome, decline code, error code).

    A code that we don't know, and `generic_decline`, are the issuer's refusal: nothing is tried again by itself.
    """
    for code in codes:
        for category, known in CATEGORIES.items():
            if code in known:
                return category
    return "issuer_declined"


def told_as(category: str) -> str:
    """The category as a customer may hear it. Whatever a thief could learn from (lost, stolen, suspected fraud) sounds
    like any other refusal by the bank."""
    return "issuer_declined" if category in ("fraud_risk", "card_unusable") else category
