"""Charges: one attempt to take money each, with what the bank or Radar said."""

from deploy.standins.stripe import aftermath, balance, params
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.call import Call, Origin
from deploy.standins.stripe.card_shapes import debit_json
from deploy.standins.stripe.cards import Card, Decline
from deploy.standins.stripe.charge_outcome import outcome
from deploy.standins.stripe.clock import DAY_S
from deploy.standins.stripe.ids import new_id
from deploy.standins.stripe.params import Spec
from deploy.standins.stripe.tables import Json

HELD_S = 7 * DAY_S

LIST = Spec({**params.PAGE, "customer": params.text(), "payment_intent": params.text()})
RETRIEVE = Spec({"expand": params.EXPAND})
UPDATE = Spec(
    {
        "description": params.text(1000),
        "metadata": params.metadata,
        "receipt_email": params.text(512),
        "fraud_details": params.nested({"user_report": params.choice("fraudulent", "safe")}),
        "expand": params.EXPAND,
    }
)

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
    charge["outcome"] = outcome(account, card, decline)
    if decline is not None:
        charge.update(status="failed", failure_code=decline.code, failure_message=decline.message)
    else:
        held = intent["capture_method"] == "manual"
        charge.update(status="succeeded", paid=True, captured=not held)
        charge["amount_captured"] = 0 if held else intent["amount"]
    account.charges.add(charge)
    intent["latest_charge"] = charge["id"]
    account.events.emit(f"charge.{charge['status']}", charge, origin)
    if charge["captured"]:
        at_once = card.funds_at_once or intent["capture_method"] == "automatic"
        balance.settle(account, charge, charge["amount"], at_once=at_once)
        aftermath.follow(account, charge, card)
    return charge


def open_debit(account: Account, intent: Json, method: Json, origin: Origin | None) -> Json:
    """Asks a bank whose answer takes days."""
    charge = _new_charge(account, intent, method, account.cards[method["id"]])
    account.charges.add(charge)
    intent["latest_charge"] = charge["id"]
    account.events.emit("charge.pending", charge, origin)
    return charge


def close_debit(account: Account, charge: Json) -> None:
    """The bank's answer."""
    debit = account.cards[charge["payment_method"]]
    charge["outcome"] = outcome(account, debit, debit.decline)
    if debit.decline is not None:
        charge.update(status="failed", failure_code=debit.decline.code, failure_message=debit.decline.message)
    else:
        charge.update(status="succeeded", paid=True, captured=True, amount_captured=charge["amount"])
        balance.settle(account, charge, charge["amount"])
    account.events.emit(f"charge.{charge['status']}", charge)


def amend_refunded(charge: Json, amount: int) -> None:
    """Never more is given back than was taken."""
    refunded = charge["amount_refunded"] + amount
    assert 0 <= refunded <= charge["amount_captured"] <= charge["amount"]
    charge.update(amount_refunded=refunded, refunded=refunded == charge["amount_captured"])


def capture(account: Account, charge: Json, amount: int, origin: Origin | None) -> None:
    captured = charge["amount_captured"] + amount
    assert captured <= charge["amount"]
    is_first = not charge["captured"]
    charge.update(captured=True, amount_captured=captured)
    account.events.emit("charge.captured", charge, origin)
    balance.settle(account, charge, amount)
    if is_first:
        aftermath.follow(account, charge, account.cards[charge["payment_method"]])


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
        "payment_method_details": {card.kind: _details(account, intent, method, card), "type": card.kind},
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


def _details(account: Account, intent: Json, method: Json, card: Card) -> Json:
    if card.kind == "card":
        return _card_details(account, intent, method, card)
    return {**debit_json(card), "expected_debit_date": None, "mandate": None}


def _card_details(account: Account, intent: Json, method: Json, card: Card) -> Json:
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
    held = {"capture_before": account.clock.now() + HELD_S} if intent["capture_method"] == "manual" else {}
    return {
        **{name: method["card"][name] for name in shown},
        **held,
        "checks": {**method["card"]["checks"], "cvc_check": card.cvc_check},
        "amount_authorized": None if card.decline else intent["amount"],
        "authorization_code": None if card.decline else "123456",
        "installments": None,
        "mandate": None,
        "network": card.brand,
        "three_d_secure": authenticated if intent["status"] == "requires_action" else None,
    }


def retrieve(call: Call) -> Json:
    params.read(call.form, RETRIEVE)
    return call.account.charges.find(call.path["charge"])


def update(call: Call) -> Json:
    values = params.read(call.form, UPDATE)
    charge = call.account.charges.find(call.path["charge"])
    values.pop("expand", None)
    if "metadata" in values:
        values["metadata"] = params.merge_metadata(charge["metadata"], values["metadata"])
    previous = {name: charge[name] for name, value in values.items() if charge[name] != value}
    charge.update(values)
    if previous:
        call.account.events.emit("charge.updated", charge, call.origin, previous)
    return charge


def list_all(call: Call) -> Json:
    values = params.read(call.form, LIST)
    wanted = {name: values.get(name) for name in ("customer", "payment_intent")}
    return call.account.charges.page("/v1/charges", values, wanted=wanted)
