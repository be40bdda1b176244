"""A trickle of shoppers: each wants something, repeats with the same key if need be, and remembers what came of it."""

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import aiohttp

from deploy.demo.addresses import Addresses
from deploy.demo.shopper import DECLINED, THREE_D_SECURE, VISA, Placed, Shopper, placed_from

# What shoppers mean to do, and how often.
WISHES = {
    "pay": 50,
    "3ds": 10,
    "declined_then_pay": 10,
    "declined": 8,
    "abandon": 8,
    "pay_twice_at_once": 6,
    "pay_at_the_last_moment": 8,
}
# Not the last moment: that may be too late, and then it is right that nothing is paid.
MEANS_TO_PAY = {"pay", "3ds", "declined_then_pay", "pay_twice_at_once"}

PATIENCE_S = 45.0
PAUSE_S = 1.0

# What an order may be answered with while everything breaks, and how a shopper may end. All else is a finding.
ANSWERS = re.compile(r"201|503 .+|409 in_progress|409 out_of_stock|no answer: .+")
ENDS = re.compile(r"paid|declined|left|out_of_stock|payment_intent_unexpected_state|gave up: .+")
# Of those who mean to pay. Even where everything takes ten times as long, nearly all can.
FEWEST_SERVED = 0.8

# A server that dies in the middle of it. An answer that can't be read is another matter.
NO_ANSWER = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError, OSError)

# One article of which there are too few for all who want it.
SCARCE = "SILK-TIE-NAVY-ONE"
SCARCE_SHARE = 0.15


@dataclass
class Memory:
    """What one shopper knows; `order_ids` are all that were ever answered to the one key."""

    wish: str
    email: str
    key: str
    order_ids: set[str] = field(default_factory=set)
    paid_at: float | None = None  # when Stripe said that it took the money
    outcome: str = "under way"
    answered_ms: float | None = None  # our own time for the request that was answered


def success_rate(memories: Sequence[Memory]) -> float:
    """The part of those who meant to pay, and for whom there was something left, that could."""
    meant = [memory for memory in memories if memory.wish in MEANS_TO_PAY and memory.outcome != "out_of_stock"]
    return sum(memory.outcome == "paid" for memory in meant) / max(1, len(meant))


def surprises(memories: Sequence[Memory], answers: Mapping[str, int]) -> Counter[str]:
    """What no shopper should have met, whatever broke meanwhile, and how often."""
    found = Counter({f"answered {answer}": times for answer, times in answers.items() if not ANSWERS.fullmatch(answer)})
    found.update(f"a shopper ended as: {each.outcome}" for each in memories if not ENDS.fullmatch(each.outcome))
    served = success_rate(memories)
    if served < FEWEST_SERVED:
        found[f"only {served:.0%} of those who meant to pay could"] = 1
    return found


class Trickle:
    def __init__(self, http: aiohttp.ClientSession, addresses: Addresses, rate: float, dice: random.Random) -> None:
        self._http = http
        self._addresses = addresses
        self._rate = rate
        self._dice = dice
        self._skus: list[str] = []
        self._reservation_s = 0.0
        self._running: set[asyncio.Task[None]] = set()
        self.memories: list[Memory] = []
        self.answers: Counter[str] = Counter()

    async def run(self, seconds: float, reservation_s: float) -> None:
        """Send shoppers in for so long, then wait until the last one has left."""
        self._reservation_s = reservation_s
        async with self._http.get(f"{self._addresses.checkout_url}/v1/products") as response:
            products = (await response.json())["products"]
        self._skus = [variant["sku"] for product in products for variant in product["variants"]]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._send_one_in()
            await asyncio.sleep(self._dice.expovariate(self._rate))
        if self._running:
            await asyncio.wait(self._running, timeout=3 * PATIENCE_S)

    def _send_one_in(self) -> None:
        (wish,) = self._dice.choices(list(WISHES), list(WISHES.values()))
        shopper = Shopper(self._http, self._addresses, wish.replace("_", "-"))
        memory = Memory(wish, shopper.email, f"{self._dice.getrandbits(96):024x}")
        self.memories.append(memory)
        sku = SCARCE if self._dice.random() < SCARCE_SHARE else self._dice.choice(self._skus)
        changes = {"locale": "de", "currency": "eur"} if self._dice.random() < 0.3 else {}
        basket = shopper.basket(sku, self._dice.randint(1, 2), **changes)
        task = asyncio.create_task(self._shop(shopper, memory, basket))
        self._running.add(task)
        task.add_done_callback(partial(self._left, memory))

    def _left(self, memory: Memory, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            memory.outcome = f"failed: {error!r}"

    async def _shop(self, shopper: Shopper, memory: Memory, basket: dict[str, Any]) -> None:
        try:
            answers = [self._order(shopper, memory, basket)]
            if memory.wish == "pay_twice_at_once":  # an impatient click: the same request twice
                answers.append(self._order(shopper, memory, basket))
            placed = [answer for answer in await asyncio.gather(*answers) if answer]
            if not placed:
                return
            await self._settle(shopper, memory, placed[0])
        except NO_ANSWER as error:
            memory.outcome = f"gave up: {type(error).__name__}"

    async def _order(self, shopper: Shopper, memory: Memory, basket: dict[str, Any]) -> Placed | None:
        """Repeat until there is an answer that means something, with the same key all the time."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            began = time.monotonic()
            try:
                status, answer = await shopper.try_to_place(basket, memory.key)
            except NO_ANSWER as error:
                self.answers[f"no answer: {type(error).__name__}"] += 1
            else:
                code = str(answer.get("code", ""))
                self.answers[f"{status} {code}".strip()] += 1
                if status == 201:
                    memory.answered_ms = (time.monotonic() - began) * 1000
                    memory.order_ids.add(answer["order"]["id"])
                    return placed_from(answer, memory.email)
                if status < 500 and code != "in_progress":
                    memory.outcome = code
                    return None
            await asyncio.sleep(PAUSE_S * self._dice.uniform(0.5, 1.5))
        memory.outcome = "gave up: no answer"
        return None

    async def _settle(self, shopper: Shopper, memory: Memory, placed: Placed) -> None:
        if memory.wish == "abandon":
            memory.outcome = "left"
            return
        if memory.wish == "pay_at_the_last_moment":
            await asyncio.sleep(max(0.0, self._reservation_s + self._dice.uniform(-3, 1)))
        if memory.wish.startswith("declined"):
            status, answer = await shopper.confirm(placed, DECLINED)
            code = _error_code(status, answer)
            memory.outcome = "declined" if code == "card_declined" else code
            if memory.wish == "declined":
                return
            await asyncio.sleep(self._dice.uniform(0, 4))
        await self._pay(shopper, memory, placed)

    async def _pay(self, shopper: Shopper, memory: Memory, placed: Placed) -> None:
        status, answer = await shopper.confirm(placed, THREE_D_SECURE if memory.wish == "3ds" else VISA)
        if status != 200:
            memory.outcome = _error_code(status, answer)
            return
        if answer["status"] == "requires_action":
            await asyncio.sleep(self._dice.uniform(0, 2))
            await shopper.authenticate(answer)
        memory.paid_at = time.time()
        memory.outcome = "paid"


def _error_code(status: int, answer: dict[str, Any]) -> str:
    """What Stripe calls it."""
    return str(answer.get("error", {}).get("code", status))
