"""Balance transactions and the balance: with the default capture they appear a moment after the payment."""

from deploy.standins.stripe import params
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.call import Call
from deploy.standins.stripe.clock import DAY_S
from deploy.standins.stripe.ids import new_id
from deploy.standins.stripe.params import Spec
from deploy.standins.stripe.tables import Json

LIST = Spec(
    {**params.PAGE, "source": params.text(), "type": params.text(), "currency": params.text(3), "payout": params.text()}
)
NOTHING = Spec({"expand": params.EXPAND})

# What each kind is reported as.
CATEGORIES = {
    "charge": "charge",
    "refund": "refund",
    "refund_failure": "refund_failure",
    "payout": "payout",
    "payout_failure": "payout_reversal",
}


def settle(account: Account, charge: Json, amount: int, *, at_once: bool = False) -> None:
    """What was captured becomes ours."""
    if at_once:
        charge["balance_transaction"] = _book_charge(account, charge, amount)
        return
    before = charge["balance_transaction"]

    def later() -> None:
        charge["balance_transaction"] = _book_charge(account, charge, amount)
        account.events.emit("charge.updated", charge, previous={"balance_transaction": before})

    account.clock.later(account.config.capture_delay_s, later)


def _book_charge(account: Account, charge: Json, amount: int) -> str:
    fee = (amount * 29 + 500) // 1000 + 30
    return str(book(account, "charge", charge, amount, fee)["id"])


def book(account: Account, kind: str, source: Json, amount: int, fee: int = 0) -> Json:
    now = account.clock.now()
    detail = {
        "amount": fee,
        "application": None,
        "currency": source["currency"],
        "description": "Stripe processing fees" if kind == "charge" else "Dispute fee",
        "type": "stripe_fee",
    }
    entry = {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": now + (2 * DAY_S if kind in {"charge", "refund"} else 0),
        "balance_type": "payments",
        "created": now,
        "currency": source["currency"],
        "description": source.get("description"),
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [detail] if fee else [],
        "net": amount - fee,
        "reporting_category": CATEGORIES.get(kind) or ("dispute" if amount < 0 else "dispute_reversal"),
        "source": source["id"],
        "status": "pending" if kind in {"charge", "refund"} else "available",
        "type": kind,
    }
    return account.balance_transactions.add(entry)


def is_available(account: Account, entry: Json) -> bool:
    """Funds become available by time alone: nothing tells of it."""
    if entry["status"] == "pending" and entry["available_on"] <= account.clock.now():
        entry["status"] = "available"
    return bool(entry["status"] == "available")


def retrieve(call: Call) -> Json:
    params.read(call.form, NOTHING)
    entry = call.account.balance_transactions.find(call.path["balance_transaction"])
    is_available(call.account, entry)
    return entry


def list_all(call: Call) -> Json:
    values = params.read(call.form, LIST)
    account = call.account
    payout = values.get("payout")

    def matches(entry: Json) -> bool:
        is_available(account, entry)
        return payout is None or account.payout_of.get(entry["id"]) == payout

    wanted = {name: values.get(name) for name in ("source", "type", "currency")}
    return account.balance_transactions.page("/v1/balance_transactions", values, matches, wanted)


def balance(call: Call) -> Json:
    params.read(call.form, NOTHING)
    sums: dict[tuple[str, bool], int] = {}
    for entry in call.account.balance_transactions:
        place = entry["currency"], is_available(call.account, entry)
        sums[place] = sums.get(place, 0) + entry["net"]
    currencies = sorted({currency for currency, _ in sums}) or ["usd"]

    def funds(available: bool) -> list[Json]:
        return [_funds(currency, sums.get((currency, available), 0)) for currency in currencies]

    return {"object": "balance", "available": funds(True), "livemode": False, "pending": funds(False)}


def _funds(currency: str, amount: int) -> Json:
    return {"amount": amount, "currency": currency, "source_types": {"card": amount}}
