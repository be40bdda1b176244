"""`expand[]=latest_charge.balance_transaction`: ids become the objects they name."""

from typing import Any

from deploy.standins.stripe import errors
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.tables import Json, Table

MAX_DEPTH = 4

_TRANSACTIONS = {
    "balance_transaction": "balance_transaction",
    "failure_balance_transaction": "balance_transaction",
}
_OF_CHARGE = {"charge": "charge", "payment_intent": "payment_intent"}

# What can be expanded in what, and what it is then.
EXPANDABLE: dict[str, dict[str, str]] = {
    "payment_intent": {
        "customer": "customer",
        "latest_charge": "charge",
        "payment_method": "payment_method",
        "review": "review",
    },
    "setup_intent": {"customer": "customer", "latest_attempt": "setup_attempt", "payment_method": "payment_method"},
    "setup_attempt": {
        "customer": "customer",
        "payment_method": "payment_method",
        "setup_intent": "setup_intent",
    },
    "charge": {
        **_TRANSACTIONS,
        "customer": "customer",
        "payment_intent": "payment_intent",
        "refunds": "refunds",
        "review": "review",
    },
    "refunds": {"data": "refund"},
    "refund": {**_TRANSACTIONS, **_OF_CHARGE, "payment_method": "payment_method"},
    "dispute": _OF_CHARGE,
    "review": _OF_CHARGE,
    "early_fraud_warning": _OF_CHARGE,
    "payment_method": {"customer": "customer"},
    "balance_transaction": {"source": "source"},
    # Whatever the money came from or went to.
    "source": {**_TRANSACTIONS, **_OF_CHARGE, "customer": "customer", "payment_method": "payment_method"},
    "payout": _TRANSACTIONS,
}


def check(noun: str, is_list: bool, paths: Any) -> None:
    """Before the endpoint runs, so that a wrong path has no effect."""
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise errors.invalid("Invalid array: expand", param="expand")
    for path in paths:
        steps = path.split(".")
        if len(steps) > MAX_DEPTH:
            raise errors.invalid(f"You cannot expand more than {MAX_DEPTH} levels: {path}", param="expand")
        if is_list and steps.pop(0) != "data":
            raise _not_expandable(path)
        here: str = noun
        for step in steps:
            if step not in EXPANDABLE.get(here, {}):
                raise _not_expandable(path)
            here = EXPANDABLE[here][step]


def _not_expandable(path: str) -> errors.Refusal:
    return errors.invalid(f"This property cannot be expanded ({path}).", param="expand")


def expand(account: Account, answer: Json, paths: list[str]) -> Json:
    """The stored objects stay as they are: whatever is changed is copied first."""
    for path in paths:
        answer = _expand(account, answer, path.split("."))
    return answer


def _expand(account: Account, thing: Json, steps: list[str]) -> Json:
    name, rest = steps[0], steps[1:]
    if name == "data":
        return {**thing, "data": [_expand(account, row, rest) for row in thing["data"]]} if rest else thing
    if name == "refunds" and thing["object"] == "charge":
        value: Any = thing.get(name) or _refunds(account, thing)
        return {**thing, name: _expand(account, value, rest) if rest else value}
    value = thing.get(name)  # absent from what a publishable key sees
    if isinstance(value, str):
        value = _table(account, name, value).get(value) or value
    if isinstance(value, dict) and rest:
        value = _expand(account, value, rest)
    return {**thing, name: value} if name in thing else thing


def _refunds(account: Account, charge: Json) -> Json:
    wanted = {"charge": charge["id"]}
    return account.refunds.page(f"/v1/charges/{charge['id']}/refunds", {}, wanted=wanted)


def _table(account: Account, name: str, value: str) -> Table:
    if name == "source":
        tables = {"ch": account.charges, "re": account.refunds, "du": account.disputes, "po": account.payouts}
        return tables[value.partition("_")[0]]
    return {
        "charge": account.charges,
        "latest_charge": account.charges,
        "customer": account.customers,
        "payment_method": account.payment_methods,
        "payment_intent": account.payment_intents,
        "setup_intent": account.setup_intents,
        "latest_attempt": account.setup_attempts,
        "review": account.reviews,
        "balance_transaction": account.balance_transactions,
        "failure_balance_transaction": account.balance_transactions,
    }[name]
