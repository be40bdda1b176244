"""A hundred thousand events while the broker is stopped: all taken, and all published once it is back."""

import asyncio
import time

from deploy.demo.backing import Backing, NoBacking
from deploy.demo.stage import Stage
from deploy.demo.waiting import until
from tests.bench import door
from tests.bench.door import REAL
from tests.bench.figures import Figure, figure
from tests.bench.load import Burst, fire, rss_mb

EVENTS = 100_000
AT_ONCE = 10_000  # as many as the generator prepares before it begins
CONNECTIONS = 64
WITHIN_S = 240

COUNTS = """
    SELECT count(*) FILTER (WHERE state = 'published') AS published, count(*) AS stored,
           (extract(epoch FROM max(published_at)))::float8 AS last
    FROM webhooks.stripe_events
"""


async def measure(stage: Stage, ground: Backing) -> list[Figure]:
    if ground.rabbitmq is None:
        raise NoBacking("this benchmark stops the broker: leave AMQP_URL unset, so that it has one of its own")
    ports = await door.start(stage, REAL)
    pid = stage.supervisor.pids[REAL][0]
    before_mb = rss_mb(pid)
    (before,) = await stage.look(COUNTS)
    await asyncio.to_thread(ground.rabbitmq.stop)
    bursts, memory = await _accept(stage, ports[REAL], pid)
    await asyncio.to_thread(ground.rabbitmq.start)
    back_at = time.time()
    seconds, after_mb = await _published(stage, pid, before["stored"] + EVENTS, back_at)
    note = f"{before_mb:.0f} before"
    return [
        figure("accepted without a broker", [each.per_s for each in bursts], "events/s"),
        figure("published afterwards", [EVENTS / seconds], "events/s", note="from the broker's return to the last one"),
        figure("memory while accepting", [max(memory)], "MB", [before_mb], note),
        figure("memory while publishing", [after_mb], "MB", [before_mb], note),
    ]


async def _accept(stage: Stage, port: int, pid: int) -> tuple[list[Burst], list[float]]:
    bursts, memory = [], []
    for _ in range(EVENTS // AT_ONCE):
        plan = {**door.plan_of(stage, port), "connections": CONNECTIONS, "count": AT_ONCE}
        bursts.append(await fire(plan, "200"))
        memory.append(rss_mb(pid))
    return bursts, memory


async def _published(stage: Stage, pid: int, expected: int, back_at: float) -> tuple[float, float]:
    memory: list[float] = []

    async def probe() -> float | None:
        memory.append(rss_mb(pid))
        (row,) = await stage.look(COUNTS)
        return float(row["last"]) if row["published"] == row["stored"] == expected else None

    last = await until(probe, f"all {expected} events are published", WITHIN_S)
    return last - back_at, max(memory)
