"""The least an order can cost: the statements of `POST /v1/orders`, recorded from the service's own code, and run
again with fresh ids by bare asyncpg. Reads a plan (JSON) on standard input, writes the outcome on standard output.
"""

import asyncio
import json
import secrets
import sys
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import uvloop
from pydantic import SecretStr

from services.checkout.actions import orders
from services.checkout.actions.orders import Till
from services.checkout.domain import Attempt, order_number, sha256
from services.checkout.schemas import PlaceOrder
from services.checkout.settings import CheckoutSettings
from services.checkout.stripe_api import Intent
from shared.db import Pool
from shared.events import PaymentSnapshot
from shared.ids import uuid7
from tests.bench.generator import basket

ONE_SHOPPER: Any = {"card_testing": "report"}  # who orders everything, and pays nothing

Statement = tuple[str, Any, bool]  # query, arguments, whether it is for many rows


class InstantStripe:
    def require_room(self) -> None:
        """There always is."""

    async def create_intent(self, attempt: Attempt) -> Intent:
        amount, currency = attempt.request["amount"], attempt.request["currency"]
        said = PaymentSnapshot(
            payment_intent_id="pi_recorded",
            status="requires_payment_method",
            amount_minor=amount,
            amount_received_minor=0,
            currency=currency,
        )
        return Intent(said, "")


async def record(plan: dict[str, Any]) -> tuple[list[Statement], dict[str, str]]:
    """What the service says to the database for one order, and which of its texts are that order's own."""
    said: list[Statement] = []

    async def listen(conn: Any) -> None:
        conn.add_query_logger(lambda query: said.append((query.query, query.args, isinstance(query.args, list))))

    settings = CheckoutSettings.model_construct(
        attempt_wait_s=10, attempt_lease_s=45, reservation_s=1800, order_token_keys=(SecretStr("key"),), **ONE_SHOPPER
    )
    key = secrets.token_hex(12)
    async with asyncpg.create_pool(plan["url"], min_size=1, max_size=1, init=listen, **session()) as connections:
        pool = Pool(connections, f"{plan['role_prefix']}_checkout")
        till = Till(pool, InstantStripe(), settings)  # type: ignore[arg-type]
        placed = await orders.place_order(till, PlaceOrder.model_validate(basket(plan["skus"][0])), key)
        await asyncio.sleep(0.05)
    begin = next(number for number, (query, *_) in enumerate(said) if query.startswith("BEGIN"))
    number = placed.whole.order.number
    own = {"number": number, "key": sha256(key).hex(), "intent": "pi_recorded", "sku": plan["skus"][0]}
    return said[begin:], own


def session() -> dict[str, Any]:
    async def keep(_: object) -> None:
        """Nothing to reset: as the service does it."""

    return {"server_settings": {"search_path": "checkout"}, "reset": keep}


def ids_in(value: Any) -> set[UUID]:
    if isinstance(value, UUID):
        return {value}
    return set().union(*map(ids_in, value)) if isinstance(value, list | tuple) else set()


def script(said: Sequence[Statement], own: dict[str, str], sku: str) -> list[Statement]:
    """The same statements for another order."""
    fresh = {str(old): str(uuid7()) for old in ids_in([arguments for _, arguments, _ in said])}
    key, intent = secrets.token_hex(32), f"pi_{secrets.token_hex(8)}"
    fresh |= {own["number"]: order_number(secrets.randbits(40)), own["key"]: key, own["intent"]: intent}
    fresh[own["sku"]] = sku

    def other(value: Any) -> Any:
        if isinstance(value, UUID):
            return UUID(fresh[str(value)])
        if isinstance(value, bytes) and value.hex() == own["key"]:
            return bytes.fromhex(key)
        if isinstance(value, str | bytes):
            for old, new in fresh.items():
                value = value.replace(old, new) if isinstance(value, str) else value.replace(old.encode(), new.encode())
            return value
        return type(value)(map(other, value)) if isinstance(value, list | tuple) else value

    return [(query, other(arguments), is_many) for query, arguments, is_many in said]


async def run(plan: dict[str, Any]) -> dict[str, Any]:
    said, own = await record(plan)
    skus, hot = plan["skus"], plan["hot"]
    wanted = (skus[turn // 2 % hot] if turn % 2 else skus[turn % len(skus)] for turn in range(plan["count"]))
    warm_up = [script(said, own, sku) for sku in skus[: plan["warm_up"]]]
    scripts = [script(said, own, sku) for sku in wanted]
    async with asyncpg.create_pool(plan["url"], min_size=10, max_size=10, **session()) as pool:
        await work(pool, warm_up, plan["connections"])
        cpu, began = time.process_time(), time.perf_counter()
        await work(pool, scripts, plan["connections"])
        return {
            "seconds": time.perf_counter() - began,
            "cpu_s": time.process_time() - cpu,
            "statements": len(said),
            "transactions": sum(query.startswith("BEGIN") for query, *_ in said),
        }


async def work(pool: Any, scripts: list[list[Statement]], at_once: int) -> None:
    waiting = iter(scripts)

    async def one() -> None:
        for each in waiting:
            await play(pool, each)

    await asyncio.gather(*(one() for _ in range(at_once)))


async def play(pool: Any, statements: list[Statement]) -> None:
    """Each transaction on a borrowed connection, as the service does it."""
    conn = None
    for query, arguments, is_many in statements:
        conn = conn or await pool.acquire()
        if is_many:
            await conn.executemany(query, arguments)
        elif query.lstrip().startswith("SELECT") or "RETURNING" in query:
            await conn.fetch(query, *arguments)
        else:
            await conn.execute(query, *arguments)
        if query.startswith("COMMIT"):
            await pool.release(conn)
            conn = None


def main() -> None:
    plan = json.load(sys.stdin)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        json.dump(loop.run(run(plan)), sys.stdout)


if __name__ == "__main__":
    main()
