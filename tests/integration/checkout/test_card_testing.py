"""An attack with stolen cards, with the guard off and on; and honest shoppers, whom it never meets.

`CARDS=1000 pytest tests/integration/checkout/test_card_testing.py -k attack -s` is the attack of docs/card-testing.md.
"""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest

from services.checkout import consumers
from services.checkout.app import make
from shared import inbox
from tests.integration.checkout.conftest import PATIENCE_S, an_order, serving, settings_for
from tests.integration.checkout.test_payments import a_failure, a_success, state_of
from tests.integration.checkout.test_saved_cards import KEYS, customers_at, order, signed_in

IS_WHOLE = "CARDS" in os.environ
CARDS = int(os.environ.get("CARDS", "16"))
# With few cards the limits are low as well; a whole attack meets those of the settings.
LOW = {"card_testing_per_order": 4, "card_testing_per_email": 4, "card_testing_per_address": 6}
AT_ONCE = 4
ADDRESS = "203.0.113.7"
DECLINED = "pm_card_chargeDeclined"


@pytest.fixture
def guarded(clean, pool, amqp_url, stripe, http):
    """Checkout behind one proxy, with the guard as given. Its goods don't run out."""

    def start(mode: str = "enforce", **changes: Any):
        given = {"card_testing": mode, "trusted_hops": 1, "prefetch": 1, **changes}
        return serving(make(settings_for(clean, amqp_url, stripe.url, **given)), http)

    return start


@pytest.fixture(autouse=True)
async def plenty(pool, owner) -> None:
    await owner.execute(
        "INSERT INTO checkout.stock_journal (id, sku, on_hand_change, reserved_change, reason)"
        " SELECT gen_random_uuid(), sku, 100000, 0, 'recount' FROM checkout.stock"
    )


async def place(checkout, email: str, address: str = ADDRESS, key: str | None = None, **more) -> tuple[int, Any, int]:
    """As a shopper from that address, perhaps signed in (`more` headers): status, body, Retry-After."""
    headers = {"Idempotency-Key": key or str(uuid4()), "X-Forwarded-For": address, **more}
    url, body = f"{checkout.url}/v1/orders", an_order(email=email)
    async with checkout.http.post(url, json=body, headers=headers) as answer:
        return answer.status, await answer.json(), int(answer.headers.get("Retry-After", 0))


async def hear_failure(checkout, placed: Any, card: str) -> None:
    """As the bus brings it, with the card as webhooks names it."""
    event = a_failure(placed, charge=f"ch_{uuid4().hex}", card=sha256(card.encode()).hexdigest())
    async with checkout.till.pool.worker() as conn:
        assert await inbox.claim(conn, "checkout.on_payment_failed", event.id)
        await consumers.on_payment_failed(conn, event, checkout.till.settings.guard)


@dataclass
class Attack:
    """Who says he is who for the n-th card, and whether he orders anew for it."""

    name: str
    email: Callable[[int], str]
    address: Callable[[int], str]
    limited_by: str | None
    orders_anew: bool = True


def elsewhere(number: int) -> str:
    return f"198.51.{number // 250}.{number % 250}"


ATTACKS = [
    Attack("all cards on one order", lambda n: "m@x.example", lambda n: ADDRESS, "per_order", orders_anew=False),
    Attack("an order a card", lambda n: f"m+{n}@x.example", lambda n: ADDRESS, "per_email"),
    Attack("a mail address a card", lambda n: f"m{n}@x.example", lambda n: ADDRESS, "per_address"),
]
WHOLE = [
    Attack("a network address a card", lambda n: "m@x.example", elsewhere, "per_email"),
    Attack("everything new for each card", lambda n: f"m{n}@x.example", elsewhere, None),
]


class Attacker:
    """Tries cards, a few at once, each on the way that the attack takes."""

    def __init__(self, checkout, stripe, attack: Attack) -> None:
        self._checkout, self._stripe, self._attack = checkout, stripe, attack
        self._order: Any = None
        self.answers: Counter[str] = Counter()

    async def try_all(self, cards: int) -> None:
        if not self._attack.orders_anew:
            _, self._order, _ = await place(self._checkout, self._attack.email(0))
        numbers = iter(range(cards))

        async def work() -> None:
            for number in numbers:
                await self._try(number)

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))

    async def _try(self, number: int) -> None:
        order = self._order
        if order is None:
            status, order, _ = await place(self._checkout, self._attack.email(number), self._attack.address(number))
            if status != 201:
                self.answers[order["code"]] += 1
                return
        status, answer = await self._stripe.pay(order["payment_intent_id"], DECLINED)
        if status == 402:
            self.answers["reached Stripe"] += 1
            await hear_failure(self._checkout, order, f"card {number}")
        else:
            self.answers[answer["error"].get("code", "refused")] += 1


@pytest.mark.parametrize("attack", ATTACKS + WHOLE * IS_WHOLE, ids=lambda attack: attack.name)
async def test_an_attack_reaches_stripe_with_all_cards_without_the_guard_and_with_few_behind_it(
    guarded, stripe, owner, attack, capsys
):
    reached = {}
    if not attack.orders_anew:  # at the pace of a real network, or Stripe's own limit would be quicker than we are
        await stripe.fault(kind="latency", path="*/confirm", times=None, delay_s=0.1)
    for mode in ("report", "enforce"):
        async with guarded(mode, **({} if IS_WHOLE else LOW)) as checkout:
            attacker = Attacker(checkout, stripe, attack)
            await attacker.try_all(CARDS)
            reached[mode] = attacker.answers["reached Stripe"]
        if IS_WHOLE:
            with capsys.disabled():
                sys.stdout.write(f"\n{attack.name}, {mode}: {dict(attacker.answers)}\n")
        await owner.execute("TRUNCATE checkout.card_failures; UPDATE checkout.order_origins SET is_unpaid = false")
    # Stripe itself ends a PaymentIntent after 25 failures.
    assert reached["report"] == (CARDS if attack.orders_anew else min(CARDS, 25))
    if attack.limited_by is not None:
        limit = getattr(checkout.till.settings, f"card_testing_{attack.limited_by}")
        # Those under way count, too, and for one order what gets through until its PaymentIntent is cancelled.
        assert limit <= reached["enforce"] <= limit + AT_ONCE + (0 if attack.orders_anew else 10)


async def test_who_is_refused_hears_429_and_when_to_come_back_and_nothing_is_written(guarded, owner):
    async with guarded(card_testing_per_email=4) as checkout:
        for number in range(4):
            _, placed, _ = await place(checkout, f"m+{number}@x.example")
            await hear_failure(checkout, placed, f"card {number}")
        orders = await owner.fetchval("SELECT count(*) FROM checkout.orders")
        key = str(uuid4())
        status, problem, retry_after_s = await place(checkout, "M@x.example", key=key)
        assert (status, problem["code"], 3000 < retry_after_s <= 3600) == (429, "too_many_attempts", True)
        assert await owner.fetchval("SELECT count(*) FROM checkout.orders") == orders
        assert (await place(checkout, "ada@example.com", "198.51.100.1"))[0] == 201
        passed = timedelta(seconds=retry_after_s)
        await owner.execute("UPDATE checkout.card_failures SET at = at - $1::interval", passed)
        assert (await place(checkout, "M@x.example", key=key))[0] == 201  # the window has moved on


async def test_a_customer_who_is_signed_in_is_known_under_every_address(guarded):
    async with guarded(customer_keys=KEYS, card_testing_unpaid_per_customer=4) as checkout:
        for number in range(5):
            status, _, _ = await place(checkout, f"m{number}@x.example", elsewhere(number), **signed_in("mallory"))
            assert status == (201 if number < 4 else 429)
        assert (await place(checkout, "m9@x.example", elsewhere(9), **signed_in("ada")))[0] == 201


async def test_who_is_refused_makes_no_customer_at_stripe(guarded, stripe):
    wish = {"email": "m@x.example", "save_payment_method": True, "consent_version": "1"}
    async with guarded(customer_keys=KEYS, card_testing_unpaid_per_email=4) as checkout:
        for number in range(7):
            assert (await order(checkout, f"mallory-{number}", **wish))[0] == (201 if number < 4 else 429)
    assert await customers_at(stripe) == 4


async def test_many_orders_at_once_can_not_slip_through_together(guarded):
    """Counted one after another; unguarded they all count before the others are there."""
    many = [f"m+{number}@x.example" for number in range(20)]
    async with guarded(card_testing_unpaid_per_email=4) as checkout:
        answers = await asyncio.gather(*(place(checkout, email) for email in many))
    assert Counter(status for status, _, _ in answers) == {201: 4, 429: 16}


async def test_three_wrong_cards_and_then_the_right_one_time_and_again(guarded, stripe, owner):
    async with guarded() as checkout:
        for shopper in range(2):
            _, placed, _ = await place(checkout, "ada@example.com")
            for wrong in range(3):
                assert (await stripe.pay(placed["payment_intent_id"], DECLINED))[0] == 402
                await hear_failure(checkout, placed, f"wrong {shopper} {wrong}")
            assert (await stripe.pay(placed["payment_intent_id"]))[0] == 200
            async with checkout.till.pool.worker() as conn:
                await consumers.on_payment_succeeded(conn, a_success(placed))
            assert (await state_of(owner, placed))[0] == "paid"


async def test_twenty_people_behind_one_address_who_mistype_once_are_served(guarded):
    async with guarded() as checkout:
        for person in range(20):
            status, placed, _ = await place(checkout, f"person{person}@example.com")
            assert status == 201
            await hear_failure(checkout, placed, f"card of {person}")


async def test_an_order_on_which_too_many_cards_fail_is_ended_and_its_intent_cancelled(guarded, stripe, owner):
    async with guarded(card_testing_per_order=4) as checkout:
        _, placed, _ = await place(checkout, "m@x.example")
        for number in range(4):
            await hear_failure(checkout, placed, f"card {number}")
        async with asyncio.timeout(PATIENCE_S):
            while (await state_of(owner, placed))[0] != "expired":
                await asyncio.sleep(0.02)
    assert [intent["status"] for intent in await stripe.intents()] == ["canceled"]
    reason = await owner.fetchval("SELECT reason FROM checkout.order_timeline WHERE what = 'ended'")
    assert reason == "too many failed payments: order"


async def test_a_failure_told_twice_counts_once_and_what_is_kept_names_nobody(guarded, owner):
    async with guarded() as checkout:
        _, placed, _ = await place(checkout, "ada@example.com")
        event = a_failure(placed, charge="ch_1", card=sha256(b"card").hexdigest())
        async with checkout.till.pool.worker() as conn:
            for _ in range(3):
                await consumers.on_payment_failed(conn, event, checkout.till.settings.guard)
    kept = await owner.fetch("SELECT kind, key FROM checkout.card_failures")
    assert sorted(row["kind"] for row in kept) == ["address", "card", "email", "order", "shop"]
    came_from = await owner.fetchrow("SELECT * FROM checkout.order_origins")
    written = b"".join(row["key"] for row in kept) + came_from["email"] + came_from["address"]
    for secret in (b"ada", ADDRESS.encode(), bytes.fromhex(event.payment.card)):
        assert secret not in written


@pytest.mark.parametrize("address", ["127.0.0.1", "172.18.0.1", "10.9.8.7", "fd00::7", "rubbish"])
async def test_what_is_no_customers_address_is_counted_against_nobody(guarded, owner, address):
    """Behind a proxy that nobody told us of all clients would be one, and soon all of them be refused."""
    async with guarded() as checkout:
        await place(checkout, "ada@example.com", address)
    assert await owner.fetchval("SELECT address FROM checkout.order_origins") is None
