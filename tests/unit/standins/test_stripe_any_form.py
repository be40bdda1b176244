"""Whatever is sent, an endpoint answers or refuses: it never breaks."""

import asyncio
import contextlib
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.standins.stripe import disputes, expand, payouts, reviews
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.call import Call, Origin
from deploy.standins.stripe.config import Config
from deploy.standins.stripe.errors import Refusal
from deploy.standins.stripe.routes import ROUTES, Route

_NAMES = (
    "amount currency confirm payment_method payment_method_data automatic_payment_methods metadata customer shipping "
    "return_url off_session setup_future_usage capture_method confirmation_method expand limit starting_after "
    "ending_before created types type delivery_success card billing_details email name number exp_month exp_year cvc "
    "enabled allow_redirects address line1 cancellation_reason client_secret amount_to_capture source 0 1 "
    "confirmation_token payment_intent charge reason evidence submit uncategorized_text query page url enabled_events "
    "disabled usage payment_method_options request_three_d_secure final_capture payout arrival_date setup_intent"
)
NAMES = st.sampled_from(_NAMES.split())
VALUES = st.sampled_from(
    ["", "0", "1", "100", "99999999", "usd", "JPY", "true", "false", "card", "pm_card_visa", "pm_card_chargeDeclined",
     "pm_card_authenticationRequired", "pm_x", "cus_x", "manual", "never", "off_session", "latest_charge",
     "data.customer", "any", "*", "fraudulent", "http://127.0.0.1/", "status:'succeeded'", "metadata['a']:'b' amount>1",
     "winning_evidence", "refunds", "4242424242424242", "12", "2040", "é", "\x00"]
)  # fmt: skip
FORMS = st.dictionaries(
    NAMES,
    st.recursive(VALUES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=4)),
    max_size=6,
)
A_PURCHASE: dict[str, Any] = {
    "amount": "100",
    "currency": "usd",
    "confirm": "true",
    "payment_method": "pm_card_visa",
    "return_url": "http://127.0.0.1/",
    "capture_method": "manual",
}


SEVERAL: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/v1/customers", {}),
    ("/v1/payment_intents", A_PURCHASE),
    ("/v1/payment_intents", {**A_PURCHASE, "capture_method": "automatic"}),
    ("/v1/setup_intents", {}),
    ("/v1/test_helpers/confirmation_tokens", {"payment_method": "pm_card_visa"}),
    ("/v1/webhook_endpoints", {"url": "http://127.0.0.1:9/", "enabled_events": ["*"]}),
)


def ids_of(account: Account, noun: str) -> dict[str, str]:
    tables = {
        "intent": account.setup_intents if noun == "setup_intent" else account.payment_intents,
        "customer": account.customers,
        "charge": account.charges,
        "payment_method": account.payment_methods,
        "balance_transaction": account.balance_transactions,
        "event": account.events.table,
        "refund": account.refunds,
        "dispute": account.disputes,
        "review": account.reviews,
        "warning": account.warnings,
        "payout": account.payouts,
        "token": account.confirmation_tokens,
        "endpoint": account.hooks.table,
    }
    return {name: next(iter(table))["id"] for name, table in tables.items()}


async def ask(account: Account, route: Route, form: dict[str, Any]) -> None:
    ids = ids_of(account, route.noun)
    with contextlib.suppress(Refusal):
        expand.check(route.noun, route.is_list, form.get("expand", []))
        answer = route.answer(Call(account, Origin("req_1", None), form, ids, "http://127.0.0.1"))
        orjson.dumps(expand.expand(account, answer, form.get("expand", [])))


async def an_account() -> Account:
    """With one of everything."""
    account = Account(Config(search_lag_s=0))
    makers = {route.path: route.answer for route in ROUTES if route.method == "POST"}
    for path, form in SEVERAL:
        makers[path](Call(account, Origin("req_0", None), form, {}, "http://127.0.0.1"))
    charge = account.charges.newest(1)[0]
    payouts.make(account, "usd", everything=True)
    refund = {"charge": charge["id"], "amount": "1"}
    makers["/v1/refunds"](Call(account, Origin("req_0", None), refund, {}, "http://127.0.0.1"))
    disputes.open_dispute(account, charge, "fraudulent", is_inquiry=True)
    reviews.open_review(account, charge)
    reviews.warn(account, charge)
    return account


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(ROUTES), FORMS, st.booleans())
def test_an_endpoint_answers_or_refuses_any_form(route: Route, form: dict[str, Any], is_purchase: bool) -> None:
    async def story() -> None:
        account = await an_account()
        given_form = {**A_PURCHASE, **form} if is_purchase and route.path == "/v1/payment_intents" else form
        await ask(account, route, given_form)
        account.clock.forget()

    asyncio.run(story())
