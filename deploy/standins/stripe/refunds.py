"""Refunds: in part or whole, at once or pending, and some that fail after they had succeeded."""

from deploy.standins.stripe import balance, charges, errors, params, reviews
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.call import Call, Origin
from deploy.standins.stripe.ids import new_id
from deploy.standins.stripe.params import Spec
from deploy.standins.stripe.tables import Json

REASONS = ("duplicate", "fraudulent", "requested_by_customer")
CREATE = Spec(
    {
        "amount": params.integer(minimum=1),
        "charge": params.text(),
        "payment_intent": params.text(),
        "reason": params.choice(*REASONS),
        "metadata": params.metadata,
        "expand": params.EXPAND,
    }
)
UPDATE = Spec({"metadata": params.metadata, "expand": params.EXPAND})
NOTHING = Spec({"expand": params.EXPAND})
LIST = Spec({**params.PAGE, "charge": params.text(), "payment_intent": params.text()})


def create(call: Call) -> Json:
    values = params.read(call.form, CREATE)
    account = call.account
    charge = _charge(account, values)
    left = charge["amount_captured"] - charge["amount_refunded"]
    amount = values.get("amount", left)
    _check(account, charge, amount, left)
    refund = _new_refund(account, charge, amount, values)
    account.refunds.add(refund)
    charges.amend_refunded(charge, amount)
    before = {"amount_refunded": charge["amount_refunded"] - amount, "refunded": False}
    account.events.emit("refund.created", refund, call.origin)
    account.events.emit("charge.refunded", charge, call.origin, before)
    if charge["refunded"]:
        reviews.close_of(account, charge, "refunded_as_fraud" if refund["reason"] == "fraudulent" else "refunded")
        reviews.warnings_no_longer_actionable(account, charge)
    _follow(account, charge, refund)
    return refund


def _charge(account: Account, values: Json) -> Json:
    #
    if bool(values.get("charge")) == bool(values.get("payment_intent")):
        message = "Give exactly one of payment_intent and charge."
        raise errors.invalid(message, param="payment_intent", code="parameter_missing")
    if values.get("charge"):
        charge = account.charges.find(values["charge"], "charge")
    else:
        intent = account.payment_intents.find(values["payment_intent"], "payment_intent")
        found = account.charges.get(intent["latest_charge"])
        if found is None or found["status"] != "succeeded":
            message = f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund."
            raise errors.invalid(message, param="payment_intent", code="payment_intent_unexpected_state")
        charge = found
    if not charge["captured"]:
        message = f"Charge {charge['id']} has not been captured: cancel its PaymentIntent to release the funds."
        raise errors.invalid(message, param="charge", code="charge_not_refundable")
    return charge


def _check(account: Account, charge: Json, amount: int, left: int) -> None:
    if charge["refunded"] or left == 0:
        raise errors.conflicting(f"Charge {charge['id']} has already been refunded.", "charge_already_refunded")
    if any(not dispute["is_charge_refundable"] for dispute in account.disputes.among("charge", charge["id"])):
        #
        message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise errors.conflicting(message, "charge_disputed")
    if amount > left:
        message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})."
        raise errors.invalid(message, param="amount")


def _new_refund(account: Account, charge: Json, amount: int, values: Json) -> Json:
    """What is left out here (`failure_reason`, `pending_reason` …) Stripe leaves out too until it has to say it."""
    return {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": account.clock.now(),
        "currency": charge["currency"],
        "destination_details": {"card": {"reference_status": "pending", "type": "refund"}, "type": "card"},
        "metadata": params.merge_metadata({}, values.get("metadata", {})),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": values.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending",
        "transfer_reversal": None,
    }


def _follow(account: Account, charge: Json, refund: Json) -> None:
    """What the card makes of it."""
    card = account.cards[charge["payment_method"]]
    if card.refund == "pending":
        refund["pending_reason"] = "processing"
        account.clock.later(account.config.refund_delay_s, lambda: settle(account, refund, "succeeded"))
        return
    _pay_back(account, refund)
    refund["status"] = "succeeded"
    if card.refund == "fails":
        account.clock.later(account.config.refund_delay_s, lambda: settle(account, refund, "failed"))


def _pay_back(account: Account, refund: Json) -> None:
    #
    refund["balance_transaction"] = balance.book(account, "refund", refund, -refund["amount"])["id"]


def settle(account: Account, refund: Json, status: str, reason: str | None = None) -> None:
    """A pending refund ends, or one that had succeeded fails after all. Nobody asked: no request is named."""
    now = refund["status"]
    possible = {"pending": {"succeeded", "failed", "requires_action"}, "requires_action": {"succeeded", "failed"}}
    if status not in possible.get(now, {"failed"} if now == "succeeded" else set()):
        raise errors.conflicting(f"A refund that is {now} cannot become {status}.", "refund_unexpected_state")
    _tell_changed(account, refund, _change(account, refund, status, reason))
    if status == "failed":
        account.events.emit("refund.failed", refund)


def _change(account: Account, refund: Json, status: str, reason: str | None) -> Json:
    names = ("status", "pending_reason", "failure_reason", "balance_transaction")
    before = {name: refund.get(name) for name in names}
    if status == "succeeded":
        _pay_back(account, refund)
    if status in {"failed", "canceled"}:
        if status == "failed":
            refund["failure_reason"] = reason or "expired_or_canceled_card"
        charges.amend_refunded(account.charges.find(refund["charge"]), -refund["amount"])
        if refund["balance_transaction"] is not None:
            entry = balance.book(account, "refund_failure", refund, refund["amount"])
            refund["failure_balance_transaction"] = entry["id"]
    refund["status"] = status
    refund.pop("pending_reason", None)
    return {name: value for name, value in before.items() if refund.get(name) != value}


def _tell_changed(account: Account, refund: Json, previous: Json, origin: Origin | None = None) -> None:
    for kind in ("refund.updated", "charge.refund.updated"):
        account.events.emit(kind, refund, origin, previous)


def update(call: Call) -> Json:
    values = params.read(call.form, UPDATE)
    refund = call.account.refunds.find(call.path["refund"])
    if "metadata" in values:
        before = refund["metadata"]
        refund["metadata"] = params.merge_metadata(before, values["metadata"])
        _tell_changed(call.account, refund, {"metadata": before}, call.origin)
    return refund


def cancel(call: Call) -> Json:
    params.read(call.form, NOTHING)
    refund = call.account.refunds.find(call.path["refund"])
    if refund["status"] != "requires_action":
        message = f"Only a refund that requires action can be canceled; this one is {refund['status']}."
        raise errors.conflicting(message, None)
    _tell_changed(call.account, refund, _change(call.account, refund, "canceled", None), call.origin)
    return refund


def retrieve(call: Call) -> Json:
    params.read(call.form, NOTHING)
    return call.account.refunds.find(call.path["refund"])


def list_all(call: Call) -> Json:
    values = params.read(call.form, LIST)
    wanted = {name: values.get(name) for name in ("charge", "payment_intent")}
    return call.account.refunds.page("/v1/refunds", values, wanted=wanted)


def release(account: Account, charge: Json, amount: int, origin: Origin | None, reason: str | None) -> None:
    """Held funds go back to the cardholder without ever having been ours. A-27"""
    refund = {**_new_refund(account, charge, amount, {}), "status": "succeeded", "reason": reason}
    refund["destination_details"]["card"]["type"] = "reversal"
    account.refunds.add(refund)
    before = {"amount_refunded": charge["amount_refunded"], "refunded": charge["refunded"]}
    charge.update(amount_refunded=amount, refunded=True)
    account.events.emit("charge.refunded", charge, origin, before)
