"""`expand[]=latest_charge.balance_transaction`: ids become the objects they name."""

from typing import Any

from deploy.standins.stripe import errors
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.tables import Json, Table

MAX_DEPTH = 4

# What can be expanded in what, and what it is then.
EXPANDABLE: dict[str, dict[str, str]] = {
    "payment_intent": {"latest_charge": "charge", "customer": "customer", "payment_method": "payment_method"},
    "charge": {
        "balance_transaction": "balance_transaction",
        "customer": "customer",
        "payment_intent": "payment_intent",
    },
    "payment_method": {"customer": "customer"},
    "balance_transaction": {"source": "charge"},
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
    tables = {
        "latest_charge": account.charges,
        "source": account.charges,
        "customer": account.customers,
        "payment_method": account.payment_methods,
        "payment_intent": account.payment_intents,
        "balance_transaction": account.balance_transactions,
    }
    for path in paths:
        answer = _expand(tables, answer, path.split("."))
    return answer


def _expand(tables: dict[str, Table], thing: Json, steps: list[str]) -> Json:
    name, rest = steps[0], steps[1:]
    if name == "data":
        return {**thing, "data": [_expand(tables, row, rest) for row in thing["data"]]} if rest else thing
    value = thing.get(name)  # absent from what a publishable key sees
    if isinstance(value, str):
        value = tables[name].get(value) or value
    if isinstance(value, dict) and rest:
        value = _expand(tables, value, rest)
    return {**thing, name: value} if name in thing else thing
