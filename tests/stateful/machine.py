"""The machine: what shoppers, staff, banks, Stripe's weather, the clock and our own processes may do, in any order.

Every choice is a number that Hypothesis draws; it is taken modulo what there is to choose from, so that a run can be
shortened and repeated. A process stands still wherever Hypothesis stops it, goes on later, or dies.
"""

import logging
import sys
from collections import Counter
from collections.abc import Awaitable, Sequence
from itertools import product
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.checkout.actions import orders, refunds, releasing
from services.checkout.domain import RefundWanted
from services.checkout.schemas import PlaceOrder
from shared.db import Pool
from shared.errors import AppError
from shared.events import Event, PaymentProcessing, PaymentSnapshot
from shared.ids import uuid7
from tests.stateful import truths
from tests.stateful.process import Process
from tests.stateful.settling import settle
from tests.stateful.world import JOBS, SKUS, World

MOST_ORDERS = 4  # more would only compete for Hypothesis' attention
MOST_PROCESSES = 3

CARDS = (
    "visa",
    "visa",
    "chargeDeclinedInsufficientFunds",
    "threeDSecure2Required",
    "createDispute",
    "createDisputeInquiry",
    "pendingRefund",
    "refundFail",
)
FAULTS = [
    *product(["POST"], ("drop_after", "error_after", "cut_after", "drop_before", "error_before", "rate_limit")),
    # Not dropped: such a GET is repeated by aiohttp, or not, depending on the connection it was on.
    *product(["GET"], ("error_before", "cut_after", "rate_limit")),
]
# Longer than any lease; than a reservation; than Stripe keeps an Idempotency-Key.
PAUSES_S = {"a minute": 61, "half an hour": 1801, "a day": 90_000}

which = st.integers(0, 11)
# Most run through; where the others stop is where they may die.
gates = st.one_of(st.none(), st.integers(0, 9))

Thing = TypeVar("Thing")


class Errors(logging.Handler):
    """What the product says at level ERROR: a bug, or something a person must see to."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        cause = record.exc_info[1] if record.exc_info else getattr(record, "reason", None)
        self.said.append(f"{record.getMessage()}: {cause!r}")


class Orders(RuleBasedStateMachine):
    counts: ClassVar[Counter[str]] = Counter()  # over all runs of this process, for whoever reports

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.errors = Errors()
        logging.getLogger("services.checkout").addHandler(self.errors)
        self.wishes: list[tuple[str, PlaceOrder]] = []  # Idempotency-Key and what was ordered with it
        self.payable: dict[str, str] = {}  # PaymentIntents whose secret a shopper has -> order
        self.brought: list[str] = []  # PaymentIntents that brought money
        self.mail: list[Event] = []  # what Stripe has said and we have not heard
        self.heard: list[Event] = []
        self.lost: list[Event] = []  # what only a backfill will bring
        self.processes: list[Process] = []
        self.weather: list[dict[str, Any]] = []  # faults that have not struck yet
        self.refund_wishes: list[tuple[UUID, RefundWanted]] = []
        self.ended: dict[str, str] = {}
        self.world.run(world.reset())

    # Shoppers

    @precondition(lambda self: len(self.wishes) < MOST_ORDERS)
    @rule(sku=which, quantity=st.integers(1, 3), both=st.booleans(), gates=gates)
    def place(self, sku: int, quantity: int, both: bool, gates: int | None) -> None:
        lines = [{"sku": _pick(SKUS, sku), "quantity": quantity}]
        lines += [{"sku": _pick(SKUS, sku + 1), "quantity": 1}] if both else []
        self.wishes.append((f"key-{len(self.wishes)}-{uuid7()}", PlaceOrder.model_validate(a_basket(lines))))
        self._send(len(self.wishes) - 1, gates)

    @precondition(lambda self: len(self.wishes) < MOST_ORDERS)
    @rule(sku=which, quantity=st.integers(1, 2), card=st.sampled_from(CARDS))
    def buy(self, sku: int, quantity: int, card: str) -> None:
        """What mostly happens."""
        before = len(self.payable)
        self.place(sku, quantity, both=False, gates=None)
        if len(self.payable) > before:
            self.pay(-1, card)

    @precondition(lambda self: self.wishes)
    @rule(wish=which, gates=gates)
    def place_again(self, wish: int, gates: int | None) -> None:
        self._send(wish % len(self.wishes), gates)

    @precondition(lambda self: self.payable)
    @rule(intent=which, card=st.sampled_from(CARDS))
    def pay(self, intent: int, card: str) -> None:
        intent_id = _pick(list(self.payable), intent)
        form = {"payment_method": f"pm_card_{card}", "return_url": "https://shop.invalid/"}
        self.world.run(self.world.post(f"payment_intents/{intent_id}/confirm", **form))

    @precondition(lambda self: self.payable)
    @rule(intent=which, succeeds=st.booleans())
    def authenticate(self, intent: int, succeeds: bool) -> None:
        path = f"payment_intents/{_pick(list(self.payable), intent)}/authenticate"
        self.world.run(self.world.control("POST", path, {"outcome": "succeed" if succeeds else "fail"}))

    # Stripe's weather, and its news

    @rule(fault=st.sampled_from(FAULTS), keeps=st.booleans())
    def stripe_fails(self, fault: tuple[str, str], keeps: bool) -> None:
        """The next call of ours that fits goes wrong; what this machine itself asks does not."""
        method, kind = fault
        stored = {"stored": "error" if keeps else "result"} if kind == "error_after" else {}
        self.weather.append({"kind": kind, "method": method, **stored})

    @precondition(lambda self: self.mail)
    @rule(number=which, again=st.booleans())
    def hear(self, number: int, again: bool) -> None:
        """Whichever comes first; some come once more."""
        event = self.mail.pop(number % len(self.mail))
        self.heard += [event] if again else []
        self._hear(event)

    @precondition(lambda self: self.mail)
    @rule()
    def hear_all(self) -> None:
        waiting, self.mail = self.mail, []
        for event in waiting:
            self._hear(event)

    @precondition(lambda self: self.mail)
    @rule(number=which)
    def lose(self, number: int) -> None:
        self.lost.append(self.mail.pop(number % len(self.mail)))

    @precondition(lambda self: self.heard)
    @rule(number=which, as_another=st.booleans())
    def hear_again(self, number: int, as_another: bool) -> None:
        """Under its own id, or as Stripe does it now and then, under another."""
        event = _pick(self.heard, number)
        self._hear(event.model_copy(update={"id": uuid7()}) if as_another else event)

    @precondition(lambda self: self.payable)
    @rule(intent=which)
    def money_is_on_its_way(self, intent: int) -> None:
        """As after a debit that takes days; the stand-in's cards don't do that."""
        intent_id = _pick(list(self.payable), intent)
        shown = next(each for each in self.world.run(self.world.intents()) if each["id"] == intent_id)
        if shown["status"] not in truths.LIVING:
            return
        payment = PaymentSnapshot(
            payment_intent_id=intent_id,
            status="processing",
            amount_minor=shown["amount"],
            amount_received_minor=0,
            currency=shown["currency"],
            order_id=UUID(shown["metadata"]["order_id"]),
        )
        self.mail.append(PaymentProcessing(stripe_event_id=f"evt_{uuid7().hex}", livemode=False, payment=payment))

    @rule(job=st.sampled_from(("refunds", "expiry")), fault=st.sampled_from(FAULTS))
    def work_in_bad_weather(self, job: str, fault: tuple[str, str]) -> None:
        """Once so that the outcome is unknown, and then again, as soon as the lease is over."""
        self.stripe_fails(fault, keeps=True)
        for pause in ("a minute", "a day"):
            self._run(job, lambda pool: JOBS[job](self.world.on(pool)), None)
            self.time_passes(pause)
        self._run(job, lambda pool: JOBS[job](self.world.on(pool)), None)

    # The clock

    @rule(pause=st.sampled_from(sorted(PAUSES_S)))
    def time_passes(self, pause: str) -> None:
        """No request takes longer than its lease: what stands still for so long is dead."""
        self._all_die()
        self.world.run(self.world.let_pass(PAUSES_S[pause]))

    # Our own processes

    @precondition(lambda self: len(self.processes) < MOST_PROCESSES)
    @rule(job=st.sampled_from(sorted(JOBS)), gates=gates)
    def work(self, job: str, gates: int | None) -> None:
        self._run(job, lambda pool: JOBS[job](self.world.on(pool)), gates)

    @precondition(lambda self: self.processes)
    @rule(number=which, gates=gates)
    def go_on(self, number: int, gates: int | None) -> None:
        self._advance(self.processes.pop(number % len(self.processes)), gates)

    @precondition(lambda self: self.processes)
    @rule(number=which)
    def die(self, number: int) -> None:
        self.world.run(self.processes.pop(number % len(self.processes)).die())

    # Staff, the Dashboard, banks

    @precondition(lambda self: self.brought)
    @rule(order=which, share=st.sampled_from((None, 100, 1250, 7000)), restock=st.booleans())
    def refund(self, order: int, share: int | None, restock: bool) -> None:
        order_id = UUID(_pick(list(self.ended), order))
        lines = {0: 1} if restock and share is not None else None
        amount = share if lines is None else None
        wanted = RefundWanted(
            uuid7(), "sent back", amount_minor=amount, lines=lines, restock=restock and amount is None
        )
        self.refund_wishes.append((order_id, wanted))
        self._as_staff(lambda conn: refunds.request(conn, order_id, wanted, "staff ada"))

    @precondition(lambda self: self.refund_wishes)
    @rule(number=which)
    def refund_again(self, number: int) -> None:
        order_id, wanted = _pick(self.refund_wishes, number)
        self._as_staff(lambda conn: refunds.request(conn, order_id, wanted, "staff ada"))

    @precondition(lambda self: self.brought)
    @rule(order=which)
    def deal_with_failed_refund(self, order: int) -> None:
        order_id = UUID(_pick(list(self.ended), order))
        self._as_staff(lambda conn: releasing.acknowledge(conn, order_id, "staff ada", "paid by transfer"))

    @precondition(lambda self: self.brought)
    @rule(intent=which, amount=st.sampled_from((None, 100, 1250)))
    def refund_in_dashboard(self, intent: int, amount: int | None) -> None:
        form = {"payment_intent": _pick(self.brought, intent)}
        self.world.run(self.world.post("refunds", **form, **({"amount": str(amount)} if amount else {})))

    @precondition(lambda self: self.refund_wishes)
    @rule(number=which)
    def refund_fails(self, number: int) -> None:
        made = self.world.run(self.world.all_of("refunds"))
        if made:
            self.world.run(self.world.control("POST", f"refunds/{_pick(made, number)['id']}", {"outcome": "fail"}))

    @precondition(lambda self: self.payable)
    @rule(intent=which, is_right=st.booleans())
    def charge_in_dashboard(self, intent: int, is_right: bool) -> None:
        """Somebody takes a second payment for an order by hand, perhaps of another amount."""
        order_id = self.payable[_pick(list(self.payable), intent)]
        shown = self.world.run(self.world.intents())
        amount = next(each["amount"] for each in shown if each["metadata"].get("order_id") == order_id)
        form = {
            "amount": str(amount if is_right else amount + 100),
            "currency": "usd",
            "confirm": "true",
            "payment_method": "pm_card_visa",
            "return_url": "https://shop.invalid/",
            "metadata[order_id]": order_id,
        }
        self.world.run(self.world.post("payment_intents", **form))

    @precondition(lambda self: self.brought)
    @rule(intent=which, is_inquiry=st.booleans())
    def dispute(self, intent: int, is_inquiry: bool) -> None:
        body = {"payment_intent": _pick(self.brought, intent), "inquiry": is_inquiry}
        self.world.run(self.world.control("POST", "disputes", body))

    @precondition(lambda self: self.brought)
    @rule(number=which, outcome=st.sampled_from(("win", "lose", "escalate")))
    def bank_decides(self, number: int, outcome: str) -> None:
        if made := self.world.run(self.world.all_of("disputes")):
            path = f"disputes/{_pick(made, number)['id']}"
            self.world.run(self.world.control("POST", path, {"outcome": outcome}))

    @precondition(lambda self: self.brought)
    @rule(intent=which)
    def review(self, intent: int) -> None:
        self.world.run(self.world.control("POST", "reviews", {"payment_intent": _pick(self.brought, intent)}))

    # What must be true

    @invariant()
    def holds(self) -> None:
        self.world.run(self._check())

    def teardown(self) -> None:
        """Everything comes to rest, unless something is wrong already."""
        try:
            self._all_die()
            if sys.exc_info()[0] is None:
                self.world.run(self._come_to_rest())
        finally:
            logging.getLogger("services.checkout").removeHandler(self.errors)

    async def _come_to_rest(self) -> None:
        await settle(self.world, self.mail + self.lost)
        await self._check()
        await truths.check_rest(self.world)
        self.counts["runs"] += 1
        for order in await truths.orders(self.world):
            self.counts[f"orders {order['payment']}"] += 1
        for refund in await self.world.all_of("refunds"):
            self.counts[f"refunds {refund['status']}"] += 1

    async def _check(self) -> None:
        self.counts["steps"] += 1
        self.mail += await self.world.news()
        await truths.check_database(self.world)
        now = await truths.orders(self.world)
        truths.check_orders(now, self.ended)
        intents = await self.world.intents()
        self.brought = [each["id"] for each in intents if each["status"] == "succeeded"]
        truths.check_against_stripe(now, intents, set(self.payable))
        truths.check_refunds(await self.world.all_of("refunds"))
        assert not self.errors.said, self.errors.said

    # How it is done

    def _send(self, wish: int, gates: int | None) -> None:
        key, wanted = self.wishes[wish]

        async def place(pool: Pool) -> None:
            placed = await orders.place_order(self.world.on(pool), wanted, key)
            order_id, intent_id = str(placed.whole.order.id), placed.intent.payment.payment_intent_id
            assert self.payable.get(intent_id, order_id) == order_id
            assert order_id not in self.payable.values() or intent_id in self.payable, "two ways to pay one order"
            self.payable[intent_id] = order_id

        self._run(f"order {wish}", place, gates)

    def _run(self, name: str, action: Any, gates: int | None) -> None:
        async def start() -> Process:
            return Process(name, self.world.till.pool, action)

        self._advance(self.world.run(start()), gates)

    def _advance(self, process: Process, gates: int | None) -> None:
        if not self.world.run(self._in_this_weather(process.go_on(gates))):
            self.counts["stopped on the way"] += 1
            self.processes.append(process)
            return
        try:
            process.outcome()
        except AppError as error:
            self._refused(process.name.split()[0], error)

    async def _in_this_weather(self, going: Awaitable[bool]) -> bool:
        for fault in self.weather:
            await self.world.control("POST", "faults", fault)
        is_over = await going
        if self.weather:
            faults = (await self.world.control("GET", "faults"))["faults"]
            self.weather = [fault for fault, shown in zip(self.weather, faults, strict=True) if not shown["hits"]]
            await self.world.control("DELETE", "faults")
        return is_over

    def _all_die(self) -> None:
        for process in self.processes:
            self.world.run(process.die())
        self.processes.clear()

    def _hear(self, event: Event) -> None:
        try:
            self.world.run(self.world.hear(event))
        except AppError as error:
            if not error.may_pass_later:
                raise
            self.mail.append(event)

    def _as_staff(self, act: Any) -> None:
        async def transaction() -> None:
            async with self.world.till.pool.worker() as conn:
                await act(conn)

        try:
            self.world.run(transaction())
        except AppError as error:
            self._refused("staff", error)

    def _refused(self, who: str, error: AppError) -> None:
        """Raises the error if it is not one of those that may come."""
        if not truths.is_expected(who, error):
            raise error
        self.counts[f"{who} ended in {type(error).__name__}"] += 1


def a_basket(lines: list[dict[str, Any]]) -> dict[str, Any]:
    address = {"name": "Ada Lovelace", "line1": "12 St James Square", "city": "London"}
    return {
        "email": "ada@example.com",
        "lines": lines,
        "shipping_address": {**address, "postal_code": "SW1Y 4JH", "country": "GB"},
    }


def _pick(things: Sequence[Thing], number: int) -> Thing:
    return things[number % len(things)]
