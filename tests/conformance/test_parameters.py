"""Whatever the stand-in takes, the official package's types for this API version know."""

import pytest

from deploy.standins.stripe.routes import ROUTES, Route
from tests.stripe_schema import definitions_of, params_class, wrong_error, wrong_form, wrong_object

SECRET_ROUTES = [route for route in ROUTES if params_class(route.method, route.path) is not None]


@pytest.mark.parametrize("route", SECRET_ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_the_package_knows_the_endpoint(route: Route) -> None:
    assert definitions_of(params_class(route.method, route.path))


def test_the_check_sees_what_is_wrong() -> None:
    kind = params_class("POST", "/v1/payment_intents")
    good = {"amount": "500", "currency": "usd", "confirm": "true", "shipping": {"name": "Ann", "address": {}}}
    assert wrong_form(kind, good) == []
    assert wrong_form(kind, {**good, "payment_method_types": ["card"]}) != []
    assert wrong_form(kind, {**good, "amount": "much"}) != []
    assert wrong_form(kind, {"currency": "usd"}) != []
    assert wrong_object({"object": "refund", "id": "re_1", "colour": "red"}) != []
    assert wrong_error({"type": "card_error", "colour": "red"}) != []
