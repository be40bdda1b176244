"""Radar: reviews, which hold a payment until a person looks at it, and early fraud warnings."""

from deploy.standins.stripe import errors, params
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.call import Call, Origin
from deploy.standins.stripe.ids import new_id
from deploy.standins.stripe.params import Spec
from deploy.standins.stripe.tables import Json

NOTHING = Spec({"expand": params.EXPAND})
LIST = Spec(params.PAGE)
LIST_WARNINGS = Spec({**params.PAGE, "charge": params.text(), "payment_intent": params.text()})


def open_review(account: Account, charge: Json, reason: str = "rule") -> Json:
    #
    if any(review["open"] for review in account.reviews.among("charge", charge["id"])):
        raise errors.conflicting("This charge is being reviewed already.", None)
    review = {
        "id": new_id("prv"),
        "object": "review",
        "billing_zip": None,
        "charge": charge["id"],
        "closed_reason": None,
        "created": account.clock.now(),
        "ip_address": None,
        "ip_address_location": None,
        "livemode": False,
        "open": True,
        "opened_reason": reason,
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "session": None,
    }
    account.reviews.add(review)
    account.payment_intents.find(charge["payment_intent"])["review"] = review["id"]
    charge["review"] = review["id"]
    charge["outcome"] = {**charge["outcome"], "type": "manual_review"}
    account.events.emit("review.opened", review)
    return review


def close(account: Account, review: Json, reason: str, origin: Origin | None = None) -> Json:
    if not review["open"]:
        raise errors.conflicting("This review is closed already.", None)
    review.update(open=False, reason=reason, closed_reason=reason)
    account.events.emit("review.closed", review, origin)
    return review


def close_of(account: Account, charge: Json, reason: str) -> None:
    for review in account.reviews.among("charge", charge["id"]):
        if review["open"]:
            close(account, review, reason)


def approve(call: Call) -> Json:
    params.read(call.form, NOTHING)
    return close(call.account, call.account.reviews.find(call.path["review"]), "approved", call.origin)


def retrieve(call: Call) -> Json:
    params.read(call.form, NOTHING)
    return call.account.reviews.find(call.path["review"])


def list_open(call: Call) -> Json:
    """Those that are open, as Stripe's list has it."""
    values = params.read(call.form, LIST)
    return call.account.reviews.page("/v1/reviews", values, lambda review: bool(review["open"]))


def warn(account: Account, charge: Json, fraud_type: str = "unauthorized_use_of_card") -> Json:
    #
    warning = {
        "id": new_id("issfr"),
        "object": "radar.early_fraud_warning",
        "actionable": not (charge["disputed"] or charge["refunded"]),
        "charge": charge["id"],
        "created": account.clock.now(),
        "fraud_type": fraud_type,
        "livemode": False,
        "payment_intent": charge["payment_intent"],
    }
    account.warnings.add(warning)
    account.events.emit("radar.early_fraud_warning.created", warning)
    return warning


def warnings_no_longer_actionable(account: Account, charge: Json) -> None:
    """The charge was refunded or disputed: there is nothing to do any more."""
    for warning in account.warnings.among("charge", charge["id"]):
        if warning["actionable"]:
            warning["actionable"] = False
            account.events.emit("radar.early_fraud_warning.updated", warning, previous={"actionable": True})


def retrieve_warning(call: Call) -> Json:
    params.read(call.form, NOTHING)
    return call.account.warnings.find(call.path["warning"])


def list_warnings(call: Call) -> Json:
    values = params.read(call.form, LIST_WARNINGS)
    wanted = {name: values.get(name) for name in ("charge", "payment_intent")}
    return call.account.warnings.page("/v1/radar/early_fraud_warnings", values, wanted=wanted)
