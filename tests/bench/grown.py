"""`POST /v1/orders`, and what the jobs ask for, with millions of orders in the tables beside the same without them."""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import asyncpg

from deploy.demo.account import on_stdout
from deploy.demo.backing import Backing
from deploy.demo.stage import Stage
from services.checkout import jobs
from services.checkout.actions.orders import Till
from services.checkout.store import ledger as ledger_store
from services.checkout.store import orders as order_store
from services.checkout.store import payments as payment_store
from services.checkout.store import refunds as refund_store
from shared import outbox
from shared.db import Pool
from tests.bench import ordering
from tests.bench.figures import Figure, figure, quantile
from tests.bench.filling import fill
from tests.bench.load import Burst
from tests.bench.sql_floor import session

GROWN = int(os.environ.get("ORDERS") or 3_000_000)
ROUNDS = 5
ASKED = 20
SMALL = 5_000  # a table of fewer rows is read as a whole, and rightly so

Round = tuple[Burst, ordering.Direct]
Ask = Callable[[Pool], Awaitable[object]]


@dataclass(frozen=True)
class Asked:
    """What a job asks the database for: how long that takes, and which large tables it reads from end to end."""

    seconds: list[float]
    scans: frozenset[str]


class NoBus:
    """Connected, and never asked to publish anything: nothing waits."""

    is_connected = True


async def _expiry(pool: Pool) -> None:
    async with pool.worker() as conn:
        await order_store.claim_due_for_expiry(conn, 60, jobs.BATCH)


async def _resync(pool: Pool) -> None:
    async with pool.worker() as conn:
        await payment_store.claim_resyncs(conn, 60, jobs.LONGEST_RESYNC_S, jobs.BATCH)


async def _refunds(pool: Pool) -> None:
    async with pool.worker() as conn:
        await refund_store.claim_requested(conn, 45, jobs.BATCH)


async def _balance(pool: Pool) -> None:
    """Whose the transactions of a page are."""
    async with pool.worker() as conn:
        await ledger_store.select_ours(conn, [f"pi_filler{number}" for number in range(100)])


async def _relay(pool: Pool) -> None:
    await outbox.relay(pool, NoBus())  # type: ignore[arg-type]


async def _purge(pool: Pool) -> None:
    await jobs.purge(Till(pool, None, None))  # type: ignore[arg-type]


JOBS: dict[str, Ask] = {
    "expiry": _expiry,
    "resync": _resync,
    "refunds": _refunds,
    "balance": _balance,
    "relay": _relay,
    "purge": _purge,
}


async def measure(stage: Stage, ground: Backing) -> list[Figure]:
    """Floor: the same before the tables were filled, in rounds that each have the bare SQL beside them."""
    empty, idle = await _rounds(stage, ground), await _ask_all(stage)
    await fill(stage.database.owner_url, GROWN, on_stdout().say)
    await ordering.run_burst(stage, ground, ordering.ORDERS)  # what was cached before is cached again
    grown, asked = await _rounds(stage, ground), await _ask_all(stage)
    note = f"floor: before {GROWN:,} orders"
    made = [
        figure("orders to direct SQL", _shares(grown), "", _shares(empty), note),
        figure("orders", _rates(grown), "orders/s", _rates(empty), note),
        figure("direct SQL", _direct(grown), "orders/s", _direct(empty), note),
        figure("p50", _times(grown, 0.5), "ms", _times(empty, 0.5), note),
        figure("p99", _times(grown, 0.99), "ms", _times(empty, 0.99), note),
    ]
    return [*made, *(_figure(name, asked[name], idle[name]) for name in JOBS)]


def _figure(name: str, asked: Asked, idle: Asked) -> Figure:
    note = f"SCANS {', '.join(sorted(asked.scans))}" if asked.scans else "by index"
    return figure(name, [median(asked.seconds) * 1000], "ms", [median(idle.seconds) * 1000], note)


async def _rounds(stage: Stage, ground: Backing) -> list[Round]:
    await ordering.run_burst(stage, ground, ordering.WARM_UP)
    return [
        (await ordering.run_burst(stage, ground, ordering.ORDERS), await ordering.run_direct(stage))
        for _ in range(ROUNDS)
    ]


async def _ask_all(stage: Stage) -> dict[str, Asked]:
    said: list[tuple[str, Any]] = []

    async def listen(conn: Any) -> None:
        conn.add_query_logger(lambda query: said.append((query.query, query.args)))

    url = stage.database.url("checkout")
    async with asyncpg.create_pool(url, min_size=1, max_size=1, init=listen, **session()) as connections:
        pool = Pool(connections, f"{stage.database.prefix}_checkout")
        return {name: await _ask(stage, pool, ask, said) for name, ask in JOBS.items()}


async def _ask(stage: Stage, pool: Pool, ask: Ask, said: list[tuple[str, Any]]) -> Asked:
    seconds = []
    for _ in range(ASKED):
        said.clear()
        began = time.perf_counter()
        await ask(pool)
        seconds.append(time.perf_counter() - began)
    await asyncio.sleep(0.05)  # the log of statements comes a little later
    queries = [each for each in said if each[0].lstrip().startswith(("SELECT", "UPDATE", "DELETE", "WITH"))]
    scans = [await _scans(stage, query, arguments) for query, arguments in queries]
    return Asked(seconds, frozenset().union(*scans))


async def _scans(stage: Stage, query: str, arguments: Any) -> set[str]:
    large = "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > $1"
    names = {row["relname"] for row in await stage.look(large, SMALL, as_owner=True)}
    conn = await asyncpg.connect(stage.database.owner_url, server_settings={"search_path": "checkout"})
    try:
        plan = json.loads(await conn.fetchval(f"EXPLAIN (FORMAT json) {query}", *arguments))
    finally:
        await conn.close()
    return {node["Relation Name"] for node in _nodes(plan[0]["Plan"]) if node["Node Type"] == "Seq Scan"} & names


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for each in plan.get("Plans", []) for node in _nodes(each))]


def _shares(rounds: list[Round]) -> list[float]:
    return [rate / direct for rate, direct in zip(_rates(rounds), _direct(rounds), strict=True)]


def _rates(rounds: list[Round]) -> list[float]:
    return [burst.per_s for burst, _ in rounds]


def _direct(rounds: list[Round]) -> list[float]:
    return [ordering.ORDERS / direct["seconds"] for _, direct in rounds]


def _times(rounds: list[Round], share: float) -> list[float]:
    return [quantile(burst.times, share) * 1000 for burst, _ in rounds]
