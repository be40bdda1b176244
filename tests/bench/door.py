"""Webhook ingestion: the real process beside its ceiling and beside a first try."""

import asyncio
import sys
from collections import defaultdict
from dataclasses import replace
from statistics import median

from deploy.demo.backing import Backing
from deploy.demo.private import free_ports
from deploy.demo.programs import services
from deploy.demo.stage import Stage
from deploy.demo.supervisor import Program
from deploy.demo.waiting import until
from tests.bench.figures import Figure, figure, quantile
from tests.bench.load import Burst, cpu_of, fire, rss_mb, spent

CONNECTIONS = (16, 64, 256)
EVENTS = 3000  # a hundredth of them are thirty, so that p99 is more than one stall
ROUNDS = 5
REAL, CEILING, NAIVE = "webhooks", "ceiling", "naive"

Bursts = dict[tuple[str, int], list[Burst]]


async def measure(stage: Stage, _: Backing) -> list[Figure]:
    """With only webhooks, the ceiling and the naive server running: nobody consumes what is published."""
    ports = await start(stage, REAL, CEILING, NAIVE)
    before_mb = rss_mb(stage.supervisor.pids[REAL][0])
    bursts: Bursts = defaultdict(list)
    drained: dict[int, list[float]] = defaultdict(list)
    for _round in range(ROUNDS):
        for connections in CONNECTIONS:
            for name in (CEILING, REAL, NAIVE):
                burst, until_published_s = await fire_at(stage, name, ports[name], (connections, EVENTS))
                bursts[name, connections].append(burst)
                if name == REAL:
                    drained[connections].append(EVENTS / until_published_s)
    made = [each for connections in CONNECTIONS for each in _figures(bursts, drained, connections)]
    note = f"resident after {EVENTS * len(CONNECTIONS) * ROUNDS} events; before: {before_mb:.0f}"
    pids = {name: stage.supervisor.pids[name][0] for name in ports}
    return [*made, figure("memory", [rss_mb(pids[REAL])], "MB", [rss_mb(pids[CEILING])], note)]


async def start(stage: Stage, *names: str) -> dict[str, int]:
    """Starts those of the three, warm: connections opened, statements prepared. Answers their ports."""
    made = {port_program[1].name: port_program for port_program in _programs(stage) if port_program[1].name in names}
    await stage.supervisor.start(*(program for _, program in made.values()), within_s=60)
    ports = {name: port for name, (port, _) in made.items()}
    for name, port in ports.items():
        await fire_at(stage, name, port, (16, 400))
    return ports


def _programs(stage: Stage) -> list[tuple[int, Program]]:
    setup = stage.setup
    (real,) = (program for program in services(setup) if program.name == REAL)
    ceiling_port, naive_port = free_ports(2)
    ceiling = replace(
        real,
        name=CEILING,
        argv=(sys.executable, "-m", "tests.bench.ceiling"),
        log=setup.logs / "ceiling.log",
        env={**real.env, "WEBHOOKS_PORT": str(ceiling_port)},
        health_url=f"http://127.0.0.1:{ceiling_port}/healthz",
    )
    naive = Program(
        NAIVE,
        (sys.executable, "-m", "tests.bench.naive", str(naive_port)),
        setup.logs / "naive.log",
        env={
            "NAIVE_DATABASE_URL": stage.database.owner_url,
            "NAIVE_AMQP_URL": setup.amqp_url,
            "NAIVE_SECRET": setup.keys.webhook_secret,
        },
        health_url=f"http://127.0.0.1:{naive_port}/healthz",
    )
    return [(setup.ports.webhooks, real), (ceiling_port, ceiling), (naive_port, naive)]


async def fire_at(stage: Stage, name: str, port: int, load: tuple[int, int]) -> tuple[Burst, float]:
    """A burst of (connections, events), and how long it took until all of it was published too."""
    connections, count = load
    watched = {name: stage.supervisor.pids[name][0]}
    before = cpu_of(watched)
    burst = await fire({**plan_of(stage, port), "connections": connections, "count": count}, "200")
    until_published_s = burst.seconds
    if name == REAL:
        until_published_s = max(burst.seconds, await _all_published(stage) - burst.began_at)
    burst.cpu_s = spent(before, cpu_of(watched))
    await asyncio.sleep(0.2)
    return burst, until_published_s


def plan_of(stage: Stage, port: int) -> dict[str, object]:
    return {"kind": "events", "secret": stage.setup.keys.webhook_secret, "port": port}


async def _all_published(stage: Stage) -> float:
    query = """
        SELECT count(*) FILTER (WHERE state = 'received') AS waiting,
               extract(epoch FROM max(published_at))::float8 AS last FROM webhooks.stripe_events
    """

    async def probe() -> float | None:
        (row,) = await stage.look(query)
        return None if row["waiting"] else float(row["last"])

    return await until(probe, "all events are published", 60)


def _figures(bursts: Bursts, drained: dict[int, list[float]], connections: int) -> list[Figure]:
    real, ceiling, naive = (bursts[name, connections] for name in (REAL, CEILING, NAIVE))
    at = f"at {connections}"
    rates = [each.per_s for each in real]
    generator = median([each.generator_cpu_s / each.seconds for each in real])
    least = median([each.generator_cpu_s / each.seconds for each in ceiling])
    busy = f"generator busy {generator:.0%}, beside the ceiling {least:.0%}"
    made = [
        figure(f"accepted {at}", rates, "events/s", [each.per_s for each in ceiling], f"floor: no storage; {busy}"),
        figure(f"accepted {at} to naive", rates, "events/s", [each.per_s for each in naive], "floor: naive"),
        figure(f"published {at}", drained[connections], "events/s", [each.per_s for each in naive], "floor: naive"),
    ]
    for label, share in (("p50", 0.5), ("p99", 0.99)):
        values, floors = ([quantile(each.times, share) * 1000 for each in bursts_] for bursts_ in (real, ceiling))
        made.append(figure(f"{label} {at}", values, "ms", floors, "floor: no storage"))
    cpu = [each.cpu_us(REAL) for each in real]
    made.append(figure(f"CPU {at}", cpu, "us/event", [each.cpu_us(CEILING) for each in ceiling], "until published"))
    made.append(figure(f"CPU {at} to naive", cpu, "us/event", [each.cpu_us(NAIVE) for each in naive], "floor: naive"))
    return made
