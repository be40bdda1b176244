"""Charges: one attempt to take money each, with what the bank or Radar said."""

from deploy.standins.stripe import balance, params
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.call import Call, Origin
from deploy.standins.stripe.cards import Card, Decline
from deploy.standins.stripe.ids import new_id
from deploy.standins.stripe.params import Spec
from deploy.standins.stripe.tables import Json

LIST = Spec({**params.PAGE, "customer": params.text(), "payment_intent": params.text()})
RETRIEVE = Spec({"expand": params.EXPAND})

_COPIED = ("currency", "customer", "description", "receipt_email", "shipping", "statement_descriptor_suffix")


def charge_card(account: Account, intent: Json, method: Json, origin: Origin | None) -> Json:
    """Asks the bank that the card stands for, writes the charge down and tells of it."""
    card = account.cards[method["id"]]
    return record(account, intent, method, (card, card.decline), origin)


def record(
    account: Account, intent: Json, method: Json, result: tuple[Card, Decline | None], origin: Origin | None
) -> Json:
    card, decline = result
    charge = _new_charge(account, intent, method, card)
    charge["outcome"] = _outcome(account, card, decline)
    if decline is not None:
        charge.update(status="failed", failure_code=decline.code, failure_message=decline.message)
    else:
        held = intent["capture_method"] == "manual"
        charge.update(status="succeeded", paid=True, captured=not held)
        charge["amount_captured"] = 0 if held else intent["amount"]
    account.charges.add(charge)
    account.charges_of.setdefault(intent["id"], []).append(charge["id"])
    intent["latest_charge"] = charge["id"]
    account.events.emit(f"charge.{charge['status']}", charge, origin)
    if charge["captured"]:
        balance.settle(account, charge, at_once=intent["capture_method"] == "automatic")
    return charge


def _new_charge(account: Account, intent: Json, method: Json, card: Card) -> Json:
    return {
        "id": new_id("ch"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "KCT STAND-IN",
        "captured": False,
        "created": account.clock.now(),
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": None,
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {"card": _card_details(intent, method, card), "type": "card"},
        "radar_options": {},
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "status": "pending",
        "transfer_data": None,
        "transfer_group": None,
        **{name: intent[name] for name in _COPIED},
    }


def _card_details(intent: Json, method: Json, card: Card) -> Json:
    shown = (
        "brand",
        "checks",
        "country",
        "exp_month",
        "exp_year",
        "fingerprint",
        "funding",
        "last4",
        "wallet",
    )
    authenticated = {"authentication_flow": "challenge", "result": "authenticated", "version": "2.2.0"}
    return {
        **{name: method["card"][name] for name in shown},
        "amount_authorized": None if card.decline else intent["amount"],
        "authorization_code": None if card.decline else "123456",
        "installments": None,
        "mandate": None,
        "network": card.brand,
        "three_d_secure": authenticated if intent["status"] == "requires_action" else None,
    }


def _outcome(account: Account, card: Card, decline: Decline | None) -> Json:
    outcome: Json = {
        "advice_code": decline.advice_code if decline else None,
        "network_advice_code": None,
        "network_decline_code": decline.network_decline_code if decline else None,
        "risk_level": card.risk_level,
    }
    if account.config.has_risk_score:
        outcome["risk_score"] = {"normal": 12, "elevated": 66, "highest": 92}[card.risk_level]
    if decline is None:
        reason = "elevated_risk_level" if card.risk_level == "elevated" else None
        message = "Payment complete."
        return {
            **outcome,
            "network_status": "approved_by_network",
            "reason": reason,
            "seller_message": message,
            "type": "authorized",
        }
    if decline.is_blocked:
        message = "Stripe blocked this payment as too risky."
        return {
            **outcome,
            "network_status": "not_sent_to_network",
            "reason": "highest_risk_level",
            "seller_message": message,
            "type": "blocked",
        }
    message = f"The bank returned the decline code `{decline.decline_code}`."
    return {
        **outcome,
        "network_status": "declined_by_network",
        "reason": decline.decline_code,
        "seller_message": message,
        "type": "issuer_declined",
    }


def retrieve(call: Call) -> Json:
    params.read(call.form, RETRIEVE)
    return call.account.charges.find(call.path["charge"])


def list_all(call: Call) -> Json:
    values = params.read(call.form, LIST)
    wanted = {name: values[name] for name in ("customer", "payment_intent") if values.get(name)}

    def matches(charge: Json) -> bool:
        return all(charge[name] == value for name, value in wanted.items())

    return call.account.charges.page("/v1/charges", values, matches)
