"""A launch: five hundred buyers within seconds for a few pieces, while processes and connections die (failure 21)."""

import asyncio
import contextlib
import random
from collections import Counter
from uuid import uuid4

import asyncpg
import pytest

from services.checkout import jobs
from services.checkout.actions.orders import Till, place_order
from services.checkout.schemas import PlaceOrder
from services.checkout.store import stock as store
from shared import tasks
from shared.db import is_database_away, is_in_the_way, open_pool
from shared.errors import AppError
from tests.integration.checkout.conftest import PATIENCE_S, SKU, an_order
from tests.integration.checkout.test_payments import a_success, hear, journal_of, stock_of
from tests.integration.checkout.test_stock import on_hand_is

BUYERS = 500
AT_ONCE = 40
DEADLY = 0.05  # so many of the buyers see a connection die; by their number, so that no machine has more time for it


async def oversell_watch(owner_url: str, seen: list[tuple[int, int]]) -> None:
    """Looks again and again, as an auditor would."""
    conn = await asyncpg.connect(owner_url)
    try:
        while True:
            row = await conn.fetchrow("SELECT on_hand, reserved FROM checkout.stock WHERE sku = $1", SKU)
            seen.append((row["on_hand"], row["reserved"]))
            await asyncio.sleep(0.02)
    finally:
        await conn.close()


async def kill_connections(owner_url: str, role: str, chance: random.Random, deaths: "asyncio.Queue[None]") -> None:
    """What a crashed process leaves to the database: connections that end in the middle of a transaction."""
    conn = await asyncpg.connect(owner_url)
    try:
        while True:
            await deaths.get()
            pids = await conn.fetch(
                "SELECT pid FROM pg_stat_activity WHERE usename = $1 AND application_name = 'kct checkout'", role
            )
            if pids:
                # Waits until it is gone: nobody shall meet it later on.
                await conn.execute("SELECT pg_terminate_backend($1, 10000)", chance.choice(pids)["pid"])
            deaths.task_done()
    finally:
        await conn.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("pieces", [1, 7, 50])
async def test_five_hundred_buyers_and_random_crashes_never_oversell(checkout, clean, owner, pool, pieces):
    await on_hand_is(pool, SKU, pieces)
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 (shown when the test fails)
    chance, seen = random.Random(seed), []
    gate, deaths, crashes = asyncio.Semaphore(AT_ONCE), asyncio.Queue[None](), 0

    async def buy(till: Till, dies_after: float | None) -> str:
        nonlocal crashes
        wanted = PlaceOrder.model_validate(an_order(quantity=chance.choice((1, 1, 1, 2))))
        async with gate:
            if chance.random() < DEADLY:
                deaths.put_nowait(None)
                crashes += 1
            try:
                async with asyncio.timeout(dies_after):
                    return (await place_order(till, wanted, str(uuid4()))).whole.order.payment
            except TimeoutError:
                return "died"
            except AppError as error:
                return error.code
            except Exception as error:
                if not (is_database_away(error) or is_in_the_way(error)):
                    raise
                return "not done"

    async with open_pool(clean.url("checkout"), "checkout", clean.prefix, 12) as crowd:
        till = Till(crowd, checkout.till.stripe, checkout.till.settings)
        weather = [
            asyncio.create_task(oversell_watch(clean.owner_url, seen)),
            asyncio.create_task(kill_connections(clean.owner_url, f"{clean.prefix}_checkout", chance, deaths)),
        ]
        fates = [chance.uniform(0.001, 0.2) if chance.random() < 0.3 else None for _ in range(BUYERS)]
        try:
            outcomes = Counter(await asyncio.gather(*(buy(till, fate) for fate in fates)))
            await deaths.join()
        finally:
            await tasks.end(*weather)  # or other tests would lose their connections
    assert crashes
    assert outcomes["out_of_stock"] > BUYERS // 4, outcomes  # on a slow machine more of them die first
    assert all(0 <= reserved <= on_hand for on_hand, reserved in seen)
    await _settle(checkout, owner, chance)
    on_hand, reserved = await stock_of(owner)
    sold = await owner.fetchval(
        "SELECT coalesce(sum(l.quantity), 0)::int FROM checkout.order_lines l"
        " JOIN checkout.orders o ON o.id = l.order_id WHERE o.payment = 'paid'"
    )
    assert (on_hand, reserved) == await journal_of(owner) == (pieces - sold, 0)
    assert 0 <= sold <= pieces


async def _settle(checkout, owner, chance: random.Random) -> None:
    """Half of those who got something pay; the others never come back, and their reservations end."""
    rows = await owner.fetch(
        "SELECT o.id, o.total_minor, a.payment_intent_id FROM checkout.orders o"
        " JOIN checkout.payment_attempts a ON a.order_id = o.id WHERE a.payment_intent_id IS NOT NULL"
    )
    for row in rows:
        if chance.random() < 0.5:
            order = {"id": str(row["id"]), "total_minor": row["total_minor"]}
            await hear(checkout, a_success({"order": order, "payment_intent_id": row["payment_intent_id"]}))
    promised = await owner.fetchval(
        "SELECT s.reserved - (SELECT coalesce(sum(l.quantity), 0) FROM checkout.order_lines l JOIN checkout.orders o"
        " ON o.id = l.order_id WHERE o.payment IN ('awaiting', 'failed', 'processing'))"
        " FROM checkout.stock s WHERE s.sku = $1",
        SKU,
    )
    assert promised == 0  # what is reserved is what open orders want, to the piece
    async with asyncio.timeout(PATIENCE_S):
        while await owner.fetchval("SELECT count(*) FROM checkout.orders WHERE payment NOT IN ('paid', 'expired')"):
            await owner.execute(
                "UPDATE checkout.orders SET expiry_due_at = now() WHERE payment NOT IN ('paid', 'expired')"
            )
            with contextlib.suppress(AppError):
                await jobs.expire_unpaid(checkout.till)
            await asyncio.sleep(0.05)
    async with checkout.till.pool.worker() as conn:
        assert SKU in await store.select_stock(conn, [SKU])
