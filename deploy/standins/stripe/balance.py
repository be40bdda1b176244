"""Balance transactions: with the default capture they appear a moment after the payment."""

from deploy.standins.stripe import params
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.call import Call
from deploy.standins.stripe.ids import new_id
from deploy.standins.stripe.params import Spec
from deploy.standins.stripe.tables import Json

LIST = Spec({**params.PAGE, "source": params.text(), "type": params.text(), "currency": params.text(3)})
RETRIEVE = Spec({"expand": params.EXPAND})


def settle(account: Account, charge: Json, *, at_once: bool = False) -> None:
    if at_once:
        charge["balance_transaction"] = _book(account, charge)
        return

    def later() -> None:
        charge["balance_transaction"] = _book(account, charge)
        account.events.emit("charge.updated", charge, previous={"balance_transaction": None})

    account.clock.later(account.config.capture_delay_s, later)


def _book(account: Account, charge: Json) -> str:
    amount = charge["amount_captured"]
    fee = (amount * 29 + 500) // 1000 + 30
    now = account.clock.now()
    entry = {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": now + 2 * 86400,
        "balance_type": "payments",
        "created": now,
        "currency": charge["currency"],
        "description": charge["description"],
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [
            {
                "amount": fee,
                "application": None,
                "currency": charge["currency"],
                "description": "Stripe processing fees",
                "type": "stripe_fee",
            }
        ],
        "net": amount - fee,
        "reporting_category": "charge",
        "source": charge["id"],
        "status": "pending",
        "type": "charge",
    }
    account.balance_transactions.add(entry)
    return str(entry["id"])


def retrieve(call: Call) -> Json:
    params.read(call.form, RETRIEVE)
    return call.account.balance_transactions.find(call.path["balance_transaction"])


def list_all(call: Call) -> Json:
    values = params.read(call.form, LIST)
    wanted = {name: values[name] for name in ("source", "type", "currency") if values.get(name)}

    def matches(entry: Json) -> bool:
        return all(entry[name] == value for name, value in wanted.items())

    return call.account.balance_transactions.page("/v1/balance_transactions", values, matches)
