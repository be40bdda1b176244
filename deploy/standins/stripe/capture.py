"""Capturing what was held, at once or in parts, and letting it go when nobody does for a week."""

from functools import partial

from deploy.standins.stripe import charges, errors, params, refunds
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.call import Call
from deploy.standins.stripe.intent_params import CAPTURE
from deploy.standins.stripe.tables import Json


def capture(call: Call) -> Json:
    values = params.read(call.form, CAPTURE)
    account = call.account
    intent = account.payment_intents.find(call.path["intent"])
    if intent["status"] != "requires_capture":
        message = f"This PaymentIntent could not be captured because it has a status of {intent['status']}."
        raise errors.unexpected_state(message, intent)
    amount = int(values.get("amount_to_capture") or intent["amount_capturable"])
    if amount > intent["amount_capturable"]:
        message = "The amount to capture is greater than the amount that is authorized."
        raise errors.conflicting(message, "amount_too_large", param="amount_to_capture")
    if "metadata" in values:
        intent["metadata"] = params.merge_metadata(intent["metadata"], values["metadata"])
    charges.capture(account, account.charges.find(intent["latest_charge"]), amount, call.origin)
    left = intent["amount_capturable"] - amount
    intent["amount_received"] += amount
    if values.get("final_capture", True) or left == 0:
        intent.update(status="succeeded", amount_capturable=0)
        account.events.emit("payment_intent.succeeded", intent, call.origin)
    else:
        intent["amount_capturable"] = left
        account.events.emit("payment_intent.amount_capturable_updated", intent, call.origin)
    return intent


def watch(account: Account, intent: Json) -> None:
    #
    account.clock.later(charges.HELD_S, partial(_expire, account, intent))


def _expire(account: Account, intent: Json) -> None:
    if intent["status"] != "requires_capture":
        return
    charge = account.charges.find(intent["latest_charge"])
    if not charge["captured"]:
        account.events.emit("charge.expired", charge)
        refunds.release(account, charge, charge["amount"], None, "expired_uncaptured_charge")
    intent.update(
        status="canceled", canceled_at=account.clock.now(), cancellation_reason="automatic", amount_capturable=0
    )
    account.events.emit("payment_intent.canceled", intent)
