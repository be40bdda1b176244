"""`POST /v1/orders` beside the same SQL run directly: 100 SKUs, five of them wanted by every other shopper."""

from pathlib import Path
from statistics import median

import psutil

from deploy.demo.backing import Backing
from deploy.demo.stage import Stage
from tests.bench.figures import Figure, figure, quantile
from tests.bench.load import Burst, child, cpu_of, fire, rss_mb, spent

SKUS = [f"BENCH-{number:03}" for number in range(100)]
HOT = 5
CONNECTIONS = 8
ORDERS = 240
WARM_UP = 40
ROUNDS = 3

Direct = dict[str, float]


def write_catalogue(file: Path) -> Path:
    variants = "\n".join(f'    {{ sku = "{sku}", size = "M", colour = "Navy", on_hand = 1000000 }},' for sku in SKUS)
    file.write_text(
        f'[[products]]\nid = "bench"\nname = "Tie"\ncategory = "Ties"\nprices = {{ usd = 12900 }}\n'
        f"variants = [\n{variants}\n]\n"
    )
    return file


async def measure(stage: Stage, ground: Backing) -> list[Figure]:
    """With the checkout and Stripe's stand-in running (no latency of its own)."""
    await run_burst(stage, ground, WARM_UP)
    rounds = [(await run_burst(stage, ground, ORDERS), await run_direct(stage)) for _ in range(ROUNDS)]
    bursts, directs = [burst for burst, _ in rounds], [direct for _, direct in rounds]
    cores = psutil.cpu_count() or 1
    floors = [ORDERS / direct["seconds"] for direct in directs]
    # With all cores busy, what the stand-in uses is time that a shop of one's own would have had.
    apart = [burst.count / (burst.seconds - burst.cpu_s["stripe"] / cores) for burst in bursts]
    said = f"floor: {directs[0]['statements']:g} statements, {directs[0]['transactions']:g} transactions, {CONNECTIONS}"
    generator = median([burst.generator_cpu_s / burst.seconds for burst in bursts])
    times = [burst.times for burst in bursts]
    made = [
        figure(
            "orders",
            [burst.per_s for burst in bursts],
            "orders/s",
            floors,
            f"{said} at once; generator {generator:.0%}",
        ),
        figure("orders, stand-in apart", apart, "orders/s", floors, f"its CPU over {cores} cores taken off the time"),
        figure("p50", [quantile(each, 0.5) * 1000 for each in times], "ms", [], f"{CONNECTIONS} shoppers at once"),
        figure("p99", [quantile(each, 0.99) * 1000 for each in times], "ms"),
        figure(
            "CPU of checkout", _ms(bursts, "checkout"), "ms/order", _cpu_ms(directs), "floor: bare asyncpg's client"
        ),
        figure("CPU of the stand-in", _ms(bursts, "stripe"), "ms/order"),
    ]
    if "postgres" in bursts[0].cpu_s:
        made.append(figure("CPU of PostgreSQL", _ms(bursts, "postgres"), "ms/order"))
    resident = rss_mb(stage.supervisor.pids["checkout"][0])
    return [*made, figure("memory", [resident], "MB", [], f"resident after {ORDERS * ROUNDS + WARM_UP} orders")]


def _ms(bursts: list[Burst], name: str) -> list[float]:
    return [burst.cpu_us(name) / 1000 for burst in bursts]


def _cpu_ms(directs: list[Direct]) -> list[float]:
    return [direct["cpu_s"] / ORDERS * 1000 for direct in directs]


async def run_burst(stage: Stage, ground: Backing, count: int) -> Burst:
    pids = stage.supervisor.pids
    watched = {"checkout": pids["checkout"][0], "stripe": pids["standin-stripe"][0]}
    if ground.postgres is not None:
        pid_file = ground.postgres.folder / "data/postmaster.pid"
        watched["postgres"] = int(pid_file.read_text().split()[0])
    plan = {"kind": "orders", "port": stage.setup.ports.checkout, "skus": SKUS, "hot": HOT}
    before = cpu_of(watched)
    burst = await fire({**plan, "connections": CONNECTIONS, "count": count}, "201")
    burst.cpu_s = spent(before, cpu_of(watched))
    return burst


async def run_direct(stage: Stage) -> Direct:
    plan = {"url": stage.database.url("checkout"), "role_prefix": stage.database.prefix, "skus": SKUS, "hot": HOT}
    sizes = {"connections": CONNECTIONS, "count": ORDERS, "warm_up": WARM_UP}
    return await child("tests.bench.sql_floor", {**plan, **sizes})
