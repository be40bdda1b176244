"""Payouts to the bank: made through control, as Stripe makes them by itself every day."""

from deploy.standins.stripe import balance, errors, params
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.call import Call
from deploy.standins.stripe.clock import DAY_S
from deploy.standins.stripe.ids import new_id
from deploy.standins.stripe.params import Spec
from deploy.standins.stripe.tables import Json

NOTHING = Spec({"expand": params.EXPAND})
LIST = Spec(
    {
        **params.PAGE,
        "arrival_date": params.time_range,
        "destination": params.text(),
        "status": params.choice("pending", "paid", "failed", "canceled"),
    }
)


def make(account: Account, currency: str, *, everything: bool = False) -> Json:
    """All that is available and not paid out yet; `everything` doesn't wait for it to become available. A-42"""
    entries = [
        entry
        for entry in account.balance_transactions
        if entry["currency"] == currency
        and entry["id"] not in account.payout_of
        and entry["type"] not in {"payout", "payout_failure"}
        and (everything or balance.is_available(account, entry))
    ]
    amount = sum(entry["net"] for entry in entries)
    if amount <= 0:
        raise errors.conflicting(f"There is nothing to pay out in {currency}.", "balance_insufficient")
    payout = _new_payout(account, currency, amount)
    account.payout_of.update({entry["id"]: payout["id"] for entry in entries})
    account.payouts.add(payout)
    payout["balance_transaction"] = balance.book(account, "payout", payout, -amount)["id"]
    account.payout_of[payout["balance_transaction"]] = payout["id"]
    account.events.emit("payout.created", payout)
    return payout


def _new_payout(account: Account, currency: str, amount: int) -> Json:
    now = account.clock.now()
    return {
        "id": new_id("po"),
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": now + DAY_S,
        "automatic": True,
        "balance_transaction": None,
        "created": now,
        "currency": currency,
        "description": "STRIPE PAYOUT",
        "destination": "ba_standin",
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "original_payout": None,
        "reconciliation_status": "completed",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": "pending",
        "trace_id": {"status": "pending", "value": None},
        "type": "bank_account",
    }


def settle(account: Account, payout: Json, *, arrives: bool) -> None:
    """The bank has it, or sends it back."""
    if payout["status"] not in {"pending", "paid"} or (arrives and payout["status"] == "paid"):
        raise errors.conflicting(f"This payout is {payout['status']} already.", None)
    if arrives:
        payout["status"] = "paid"
        account.events.emit("payout.paid", payout)
        return
    payout.update(status="failed", failure_code="account_closed", failure_message="The bank account has been closed")
    entry = balance.book(account, "payout_failure", payout, payout["amount"])
    payout["failure_balance_transaction"] = entry["id"]
    account.payout_of[entry["id"]] = payout["id"]
    account.events.emit("payout.failed", payout)


def retrieve(call: Call) -> Json:
    params.read(call.form, NOTHING)
    return call.account.payouts.find(call.path["payout"])


def list_all(call: Call) -> Json:
    values = params.read(call.form, LIST)
    arrival = values.get("arrival_date") or {}
    low, high = arrival.get("gte", arrival.get("gt", -1) + 1), arrival.get("lte", arrival.get("lt", 2**53) - 1)

    def matches(payout: Json) -> bool:
        return bool(low <= payout["arrival_date"] <= high)

    wanted = {name: values.get(name) for name in ("status", "destination")}
    return call.account.payouts.page("/v1/payouts", values, matches, wanted)
