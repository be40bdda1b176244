"""The test cards: what each number does, and the `pm_card_` names that stand for it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decline:
    code: str
    decline_code: str
    message: str
    advice_code: str | None = None
    network_decline_code: str | None = None
    is_blocked: bool = False  # by Radar: the bank never sees it


@dataclass(frozen=True, slots=True)
class Card:
    number: str
    names: tuple[str, ...]  # what may follow `pm_card_` or `pm_card_visa_`
    brand: str = "visa"
    funding: str = "credit"
    decline: Decline | None = None
    authentication: str = "never"  # or "unless_set_up", "always"
    risk_level: str = "normal"
    is_attachable: bool = False  # may be saved although it declines
    aftermath: tuple[str, ...] = ()  # what comes after a payment: dispute reasons, inquiry, fraud_warning
    refund: str = "succeeds"  # or "pending" at first, or "fails" later
    cvc_check: str = "pass"
    funds_at_once: bool = False
    kind: str = "card"  # the type of its payment methods

    @property
    def last4(self) -> str:
        return self.number[-4:]


def _declined(decline_code: str, advice: str | None, network: str | None) -> Decline:
    return Decline("card_declined", decline_code, "Your card was declined.", advice, network)


#
GENERIC = _declined("generic_decline", "try_again_later", "01")
INSUFFICIENT_FUNDS = Decline(
    "card_declined", "insufficient_funds", "Your card has insufficient funds.", "try_again_later", "51"
)
LOST = _declined("lost_card", "do_not_try_again", "41")
STOLEN = _declined("stolen_card", "do_not_try_again", "43")
VELOCITY = _declined("card_velocity_exceeded", "try_again_later", "65")
EXPIRED = Decline("expired_card", "expired_card", "Your card has expired.", "confirm_card_data", "54")
WRONG_CVC = Decline(
    "incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.", "confirm_card_data", "82"
)
PROCESSING = Decline(
    "processing_error",
    "processing_error",
    "An error occurred while processing your card.",
    "try_again_later",
    "96",
)
BLOCKED = Decline("card_declined", "fraudulent", "Your card was declined.", "do_not_try_again", is_blocked=True)
NOT_A_TEST_CARD = Decline(
    "card_declined",
    "test_mode_live_card",
    "Your card was declined. Your request was in test mode, but used a non test card.",
)
AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)

CARDS = (
    Card("4242424242424242", ("visa",)),
    Card("4000056655665556", ("visa_debit",), funding="debit"),
    Card("5555555555554444", ("mastercard",), "mastercard"),
    Card("5200828282828210", ("mastercard_debit",), "mastercard", "debit"),
    Card("5105105105105100", ("mastercard_prepaid",), "mastercard", "prepaid"),
    Card("378282246310005", ("amex",), "amex"),
    Card("6011111111111117", ("discover",), "discover"),
    Card("3056930009020004", ("diners",), "diners"),
    Card("3566002020360505", ("jcb",), "jcb"),
    Card("6200000000000005", ("unionpay",), "unionpay"),
    Card("4000000000000002", ("chargeDeclined",), decline=GENERIC),
    Card("4000000000009995", ("chargeDeclinedInsufficientFunds",), decline=INSUFFICIENT_FUNDS),
    Card("4000000000009987", ("chargeDeclinedLostCard",), decline=LOST),
    Card("4000000000009979", ("chargeDeclinedStolenCard",), decline=STOLEN),
    Card("4000000000006975", ("chargeDeclinedVelocityLimitExceeded",), decline=VELOCITY),
    Card("4000000000000069", ("chargeDeclinedExpiredCard",), decline=EXPIRED),
    Card("4000000000000127", ("chargeDeclinedIncorrectCvc",), decline=WRONG_CVC),
    Card("4000000000000119", ("chargeDeclinedProcessingError",), decline=PROCESSING),
    Card("4000000000000341", ("chargeCustomerFail",), decline=GENERIC, is_attachable=True),
    Card("4000002500003155", ("authenticationRequiredOnSetup",), authentication="unless_set_up"),
    Card("4000002760003184", ("authenticationRequired",), authentication="always"),
    Card("4000000000003220", ("threeDSecure2Required", "threeDSecureRequired"), authentication="always"),
    Card("4000000000003055", ("threeDSecureOptional",)),
    #
    Card(
        "4000008400001629",
        ("threeDSecureRequiredChargeDeclined",),
        decline=GENERIC,
        authentication="always",
    ),
    Card(
        "4000008260003178",
        ("authenticationRequiredChargeDeclinedInsufficientFunds",),
        decline=INSUFFICIENT_FUNDS,
        authentication="always",
    ),
    Card(
        "4100000000000019",
        ("radarBlock", "chargeDeclinedFraudulent"),
        decline=BLOCKED,
        risk_level="highest",
    ),
    Card("4000000000004954", ("riskLevelHighest",), decline=BLOCKED, risk_level="highest"),
    Card("4000000000009235", ("riskLevelElevated",), risk_level="elevated"),
    #
    Card("4000000000000259", ("createDispute",), aftermath=("fraudulent",)),
    Card("4000000000002685", ("createDisputeProductNotReceived",), aftermath=("product_not_received",)),
    Card("4000000000001976", ("createDisputeInquiry",), aftermath=("inquiry",)),
    Card("4000000404000079", ("createMultipleDisputes",), aftermath=("fraudulent", "fraudulent")),
    Card("4000000000005423", ("createIssuerFraudRecord",), aftermath=("fraud_warning",)),
    Card("4000000000007726", ("pendingRefund",), refund="pending"),
    Card("4000000000005126", ("refundFail",), refund="fails"),
    Card("4000000000000077", ("bypassPending",), funds_at_once=True),
    Card("4000000000000101", ("cvcCheckFail",), cvc_check="fail"),
)

# Accounts that are debited: the bank's answer comes days later.
DEBIT_FAILED = Decline("charge_exceeds_source_limit", "debit_not_authorized", "The bank did not pay the debit.")
DEBITS = (
    Card("AT611904300234573201", (), kind="sepa_debit"),
    Card("DE89370400440532013000", (), kind="sepa_debit"),
    Card("AT861904300235473202", (), kind="sepa_debit", decline=DEBIT_FAILED),
)
BY_IBAN = {debit.number: debit for debit in DEBITS}

BY_NUMBER = {card.number: card for card in CARDS}
BY_NAME = {name: card for card in CARDS for name in card.names}


def named(method: str) -> Card | None:
    """`pm_card_chargeDeclined` and `pm_card_visa_chargeDeclined` are the same card."""
    name = method.removeprefix("pm_card_")
    if name == method:
        return None
    return BY_NAME.get(name) or BY_NAME.get(name.removeprefix("visa_"))


def passes_luhn(number: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
