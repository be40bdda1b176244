"""Ordering and paying in one step, with a ConfirmationToken: every outcome, and all ways to stay without one."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest

from services.checkout import jobs
from services.checkout.actions import payments
from services.checkout.domain import CREATE_INTENT
from services.checkout.store import orders as store
from services.checkout.store import payments as payment_store
from tests.integration.checkout.conftest import PATIENCE_S, SHOP, an_order, until_somebody_waits
from tests.integration.checkout.test_payments import a_success, hear, staged, state_of, stock_of

CREATE = {"method": "POST", "path": "/v1/payment_intents"}


async def a_token(stripe, card: str = "pm_card_visa") -> str:
    _, token = await stripe.post("test_helpers/confirmation_tokens", payment_method=card)
    return token["id"]


async def confirmed(stripe, card: str = "pm_card_visa", **changes):
    """An order with what its customer typed."""
    return an_order(confirmation_token=await a_token(stripe, card), return_url=f"{SHOP}/order?id=1", **changes)


async def charges_of(stripe) -> list[str]:
    return [charge["status"] for intent in await stripe.intents() for charge in intent["charges"]]


async def test_a_good_card_pays_the_order_in_one_step_and_stripes_event_settles_nothing_twice(shop, stripe, owner):
    status, placed = await shop.place(await confirmed(stripe))
    assert (status, placed["payment_status"], placed["payment_failure"]) == (201, "succeeded", None), placed
    assert placed["order"]["payment"] == "paid"
    assert await stock_of(owner) == (59, 0)
    await hear(shop, a_success(placed))
    assert await staged(owner, "order.paid") == 1
    received = await owner.fetchval("SELECT amount_received_minor FROM checkout.payments")
    assert received == placed["order"]["total_minor"]  # also where the event comes before we have written it
    assert await charges_of(stripe) == ["succeeded"]


async def test_3d_secure_goes_on_in_the_browser(shop, stripe, owner):
    _, placed = await shop.place(await confirmed(stripe, "pm_card_threeDSecure2Required"))
    assert placed["payment_status"] == "requires_action"
    assert placed["client_secret"].startswith(placed["payment_intent_id"])
    await stripe.control("POST", f"payment_intents/{placed['payment_intent_id']}/authenticate", {"outcome": "succeed"})
    await hear(shop, a_success(placed))
    assert await state_of(owner, placed) == ("paid", "none")


@pytest.mark.parametrize(
    ("card", "told"),
    [
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "card_data"),
        ("pm_card_chargeDeclinedLostCard", "issuer_declined"),
        ("pm_card_radarBlock", "issuer_declined"),
    ],
)
async def test_a_declined_card_leaves_an_order_that_another_card_pays(shop, stripe, card, told):
    body, key = await confirmed(stripe, card), str(uuid4())
    status, placed = await shop.place(body, key)
    assert (status, placed["payment_status"], placed["payment_failure"]) == (201, "requires_payment_method", told)
    assert not any(word in str(placed) for word in ("lost", "fraud", "decline_code"))
    assert await shop.place(body, key) == (201, placed)  # asked again, it says the same and confirms nothing
    await stripe.pay(placed["payment_intent_id"])
    assert (await shop.place(body, key))[1]["order"]["payment"] == "paid"
    assert await charges_of(stripe) == ["failed", "succeeded"]


@pytest.mark.parametrize(
    ("card", "kind"),
    [
        *(("pm_card_visa", kind) for kind in ("error_after", "cut_after", "drop_after", "error_before", "drop_before")),
        *(("pm_card_chargeDeclined", kind) for kind in ("error_after", "cut_after")),
    ],
)
async def test_whatever_becomes_of_the_answer_the_card_is_charged_once(shop, stripe, owner, card, kind):
    """Longer than the client's own retries. With error_after Stripe keeps the 500 under our key for good."""
    await stripe.fault(kind=kind, times=3, **CREATE)
    body, key = await confirmed(stripe, card), str(uuid4())
    status, placed = await shop.place(body, key)
    if status != 201:
        assert (status, placed["code"]) == (503, "payment_outcome_unknown")
    async with asyncio.timeout(PATIENCE_S):
        while status != 201:
            await asyncio.sleep(0.1)
            status, placed = await shop.place(body, key)
    is_good = card == "pm_card_visa"
    assert placed["payment_status"] == ("succeeded" if is_good else "requires_payment_method")
    assert await charges_of(stripe) == ["succeeded" if is_good else "failed"]
    assert await owner.fetchval("SELECT count(*) FROM checkout.orders") == 1


async def test_two_clicks_at_once_are_one_order_and_one_charge(shop, stripe, owner):
    body, key = await confirmed(stripe), str(uuid4())
    answers = await asyncio.gather(*(shop.place(body, key) for _ in range(5)))
    assert {(status, placed["payment_status"]) for status, placed in answers} == {(201, "succeeded")}
    assert await charges_of(stripe) == ["succeeded"]
    assert await staged(owner, "order.paid") == 1


async def for_update(conn, order_id) -> None:
    await conn.execute("SELECT FROM orders WHERE id = $1 FOR UPDATE", order_id)


@pytest.mark.parametrize("lock", [store.select_order_for_update, for_update])
async def test_a_payments_event_and_the_request_that_made_it_wait_in_a_circle_unless_references_pass(
    shop, stripe, owner, lock
):
    """The event locks the order and writes the payment; the request writes the payment, which refers to the order."""
    await stripe.fault(kind="latency", delay_s=1.0, **CREATE)  # so that the event has the order's lock first
    body, key = await confirmed(stripe), str(uuid4())
    request = asyncio.create_task(shop.place(body, key))
    while (order_id := await owner.fetchval("SELECT id FROM checkout.orders")) is None:
        await asyncio.sleep(0.01)
    ended = []  # which of the two the database ends is up to its clock
    try:
        async with shop.till.pool.worker() as conn:
            await lock(conn, order_id)
            await until_somebody_waits(owner)
            [made] = await stripe.intents()
            intent = await shop.till.stripe.retrieve_intent(made["id"])
            await payments.apply_hint(conn, intent.payment, "evt_1")
    except asyncpg.DeadlockDetectedError:
        ended.append("event")
    status, answer = await request
    if status == 503:
        assert answer["code"] == "others_in_the_way"
        ended.append("request")
    assert len(ended) == (lock is for_update)
    status, answer = await shop.place(body, key)
    assert (status, answer["order"]["payment"]) == (201, "paid")
    assert await charges_of(stripe) == ["succeeded"]


async def test_a_token_that_was_used_for_another_order_leaves_one_that_is_paid_as_usual(shop, stripe):
    body = await confirmed(stripe)
    await shop.place(body)
    status, placed = await shop.place(body)  # another key: another order
    assert (status, placed["payment_status"], placed["payment_failure"]) == (201, "requires_payment_method", None)
    assert await charges_of(stripe) == ["succeeded"]
    await stripe.pay(placed["payment_intent_id"])
    assert await charges_of(stripe) == ["succeeded", "succeeded"]


async def test_a_key_that_stripe_has_forgotten_finds_the_payment_through_its_token(shop, stripe, owner):
    """A day later: the same words under the same key are a new request to Stripe, and the token has been used."""
    body, key = await confirmed(stripe), str(uuid4())
    _, placed = await shop.place(body, key)
    await owner.execute("UPDATE checkout.payment_attempts SET state = 'unknown', payment_intent_id = NULL")
    await stripe.control("POST", "clock/advance", {"seconds": 25 * 3600})
    status, again = await shop.place(body, key)
    assert (status, again["payment_intent_id"], again["payment_status"]) == (
        201, placed["payment_intent_id"], "succeeded"
    )  # fmt: skip
    assert await charges_of(stripe) == ["succeeded"]


async def test_an_expired_token_asks_for_the_card_again(shop, stripe):
    body = await confirmed(stripe)
    await stripe.control("POST", "clock/advance", {"seconds": 13 * 3600})
    status, placed = await shop.place(body)
    assert (status, placed["payment_status"], placed["payment_failure"]) == (201, "requires_payment_method", None)
    assert await charges_of(stripe) == []


async def test_expiry_takes_no_money_of_who_has_left(shop, stripe, owner):
    """The process died before it asked Stripe, and nobody came back: nothing is confirmed half an hour later."""
    await stripe.fault(kind="drop_before", times=3, **CREATE)
    body, key = await confirmed(stripe), str(uuid4())
    assert (await shop.place(body, key))[0] == 503
    await owner.execute("UPDATE checkout.orders SET expiry_due_at = now()")
    async with asyncio.timeout(PATIENCE_S):
        while await owner.fetchval("SELECT payment FROM checkout.orders") != "expired":
            await jobs.expire_unpaid(shop.till)
            await asyncio.sleep(0.05)
    assert (await stripe.intents(), await stock_of(owner)) == ([], (60, 0))
    status, problem = await shop.place(body, key)
    assert (status, problem["code"]) == (503, "payment_provider_refused")


async def test_asking_again_at_expiry_would_take_money_of_who_has_left(shop, stripe):
    """What the test above guards against: the attempt sent once more, as for an order without a token."""
    await stripe.fault(kind="drop_before", times=3, **CREATE)
    assert (await shop.place(await confirmed(stripe)))[0] == 503
    async with shop.till.pool.worker() as conn:
        order_id = await conn.fetchval("SELECT id FROM orders")
        attempt = await payment_store.lease_attempt(conn, order_id, CREATE_INTENT, 10)
    assert attempt is not None
    intent = await payments.create_intent(shop.till.pool, shop.till.stripe, attempt)
    assert intent.payment.status == "succeeded"


async def test_expiry_settles_what_was_paid_without_our_hearing_of_it(shop, stripe, owner):
    await stripe.fault(kind="drop_after", times=3, **CREATE)
    status, _ = await shop.place(await confirmed(stripe))
    if status == 503:
        await owner.execute("UPDATE checkout.orders SET expiry_due_at = now()")
    async with asyncio.timeout(PATIENCE_S):
        while await owner.fetchval("SELECT payment FROM checkout.orders") != "paid":
            await asyncio.sleep(0.05)
    assert await charges_of(stripe) == ["succeeded"]


BAD_CONFIRMATIONS = [
    ("return_url", {"return_url": "https://evil.example/order"}),
    ("return_url", {"return_url": f"{SHOP}.evil.example/"}),
    ("return_url", {"return_url": f"{SHOP}@evil.example/"}),
    ("return_url", {"return_url": "https://evil.example\\@shop.example/"}),
    ("return_url", {"return_url": "javascript:alert(1)"}),
    ("return_url", {"return_url": None}),
    ("confirmation_token", {"confirmation_token": None}),
    ("confirmation_token", {"confirmation_token": "pm_card_visa"}),
]


async def test_the_way_back_is_a_page_of_the_shop(shop, owner):
    for field, changes in BAD_CONFIRMATIONS:
        body = {"confirmation_token": "ctoken_1", "return_url": f"{SHOP}/order", **changes}
        status, problem = await shop.place(an_order(**body))
        assert (status, problem["errors"][0]["field"]) == (422, field), changes
    assert await owner.fetchval("SELECT count(*) FROM checkout.orders") == 0
