"""What the bank or Radar said about a charge."""

from deploy.standins.stripe.account import Account
from deploy.standins.stripe.cards import Card, Decline
from deploy.standins.stripe.tables import Json


def outcome(account: Account, card: Card, decline: Decline | None) -> Json:
    said: Json = {
        "advice_code": decline.advice_code if decline else None,
        "network_advice_code": None,
        "network_decline_code": decline.network_decline_code if decline else None,
        "risk_level": card.risk_level,
    }
    if account.config.has_risk_score:
        said["risk_score"] = {"normal": 12, "elevated": 66, "highest": 92}[card.risk_level]
    if decline is None:
        reason = "elevated_risk_level" if card.risk_level == "elevated" else None
        message = "Payment complete."
        return {
            **said,
            "network_status": "approved_by_network",
            "reason": reason,
            "seller_message": message,
            "type": "authorized",
        }
    if decline.is_blocked:
        message = "Stripe blocked this payment as too risky."
        return {
            **said,
            "network_status": "not_sent_to_network",
            "reason": "highest_risk_level",
            "seller_message": message,
            "type": "blocked",
        }
    message = f"The bank returned the decline code `{decline.decline_code}`."
    return {
        **said,
        "network_status": "declined_by_network",
        "reason": decline.decline_code,
        "seller_message": message,
        "type": "issuer_declined",
    }
