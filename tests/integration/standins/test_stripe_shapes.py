"""What the stand-in answers has the shape that Stripe's own package, generated from its API, says it has."""

import types
from typing import Any, Union, get_args, get_origin

import pytest
import stripe

from tests.integration.standins.conftest import StandIn

PURCHASE = {
    "amount": "2500",
    "currency": "usd",
    "confirm": "true",
    "return_url": "http://127.0.0.1/",
    "expand[0]": "latest_charge",
    "expand[1]": "payment_method",
    "expand[2]": "customer",
    "shipping[name]": "Ann",
    "shipping[address][line1]": "1 Road",
    "shipping[address][country]": "US",
}


def wrong(value: Any, shape: Any, path: str = "") -> list[str]:
    """Fields that the shape doesn't know, required ones that are missing, nulls where none may be, other types."""
    kinds = [kind for kind in _kinds(shape) if not isinstance(kind, str)]
    if value is None:
        return [] if type(None) in kinds else [f"{path} is null"]
    if isinstance(value, list):
        inner = [get_args(kind)[0] for kind in kinds if get_origin(kind) is list]
        return [problem for part in value for problem in wrong(part, inner[0], f"{path}[]")] if inner else []
    if isinstance(value, dict):
        objects = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, stripe.StripeObject)]
        return _wrong_object(value, objects[0], path) if objects else []
    return [] if _fits(value, kinds) else [f"{path} is {value!r}, not {shape}"]


def _kinds(shape: Any) -> list[Any]:
    if get_origin(shape) in {Union, types.UnionType}:
        return [kind for part in get_args(shape) for kind in _kinds(part)]
    return [shape]


def _fits(value: Any, kinds: list[Any]) -> bool:
    """A closed list counts as closed, although Stripe may add to it: the stand-in invents nothing."""
    allowed = [choice for kind in kinds if "Literal" in str(kind) for choice in get_args(kind)]
    if allowed:
        return value in allowed
    plain = [kind for kind in kinds if kind in {int, str, bool, float}]
    return not plain or type(value) in plain


def _wrong_object(value: dict[str, Any], kind: type[stripe.StripeObject], path: str) -> list[str]:
    shape = {name: hint for name, hint in vars(kind).get("__annotations__", {}).items() if "ClassVar" not in str(hint)}
    if not shape:
        return []
    problems = [f"{path}.{name} is unknown" for name in value if name not in shape]
    for name, hint in shape.items():
        if name in value:
            problems += wrong(value[name], hint, f"{path}.{name}")
        elif type(None) not in _kinds(hint):
            problems.append(f"{path}.{name} is missing")
    return problems


async def made(stand_in: StandIn, method: str) -> dict[str, Any]:
    _, customer, _ = await stand_in.post("/v1/customers", {"email": "ann@example.com"})
    form = {**PURCHASE, "payment_method": method, "customer": customer["id"]}
    _, body, _ = await stand_in.post("/v1/payment_intents", form)
    return dict(body.get("error", {}).get("payment_intent") or body)


@pytest.mark.parametrize(
    "method", ["pm_card_visa", "pm_card_chargeDeclined", "pm_card_radarBlock", "pm_card_authenticationRequired"]
)
async def test_payments_have_stripes_shape(stand_in: StandIn, method: str) -> None:
    intent = await made(stand_in, method)
    assert wrong(intent, stripe.PaymentIntent) == []
    for charge in (await stand_in.get("/v1/charges"))[1]["data"]:
        assert wrong(charge, stripe.Charge) == []
        assert wrong(charge["outcome"], stripe.Charge.Outcome) == []
        assert wrong(charge["payment_method_details"], stripe.Charge.PaymentMethodDetails) == []
    if isinstance(intent["payment_method"], dict):
        assert wrong(intent["payment_method"], stripe.PaymentMethod) == []
        assert wrong(intent["customer"], stripe.Customer) == []
    for event in (await stand_in.get("/v1/events"))[1]["data"]:
        assert wrong(event, stripe.Event) == []


async def test_balance_transactions_have_stripes_shape(stand_in: StandIn) -> None:
    form = {**PURCHASE, "payment_method": "pm_card_visa", "capture_method": "automatic"}
    await stand_in.post("/v1/payment_intents", form)
    (entry,) = (await stand_in.get("/v1/balance_transactions"))[1]["data"]
    assert wrong(entry, stripe.BalanceTransaction) == []


def test_the_check_sees_what_is_wrong() -> None:
    broken = {"id": 5, "object": "payment_intent", "colour": "red", "status": "paid", "shipping": {"color": "red"}}
    problems = wrong(broken, stripe.PaymentIntent)
    assert ".shipping.color is unknown" in problems
    assert ".colour is unknown" in problems
    assert ".amount is missing" in problems
    assert any(problem.startswith(".id is 5") for problem in problems)
    assert any(problem.startswith(".status is 'paid'") for problem in problems)
