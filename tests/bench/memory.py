"""What checkout keeps in memory after many orders."""

import os

from deploy.demo.backing import Backing
from deploy.demo.stage import Stage
from tests.bench import ordering
from tests.bench.figures import Figure, figure
from tests.bench.load import rss_mb

ORDERS = int(os.environ.get("ORDERS") or 100_000)
AT_ONCE = 2_000  # as many as the generator prepares before it begins


async def measure(stage: Stage, ground: Backing) -> list[Figure]:
    """Floor: resident after the first orders, when everything is loaded and connected."""
    pid = stage.supervisor.pids["checkout"][0]
    await ordering.run_burst(stage, ground, AT_ONCE)
    resident = [rss_mb(pid)]
    for _ in range(max(1, ORDERS // AT_ONCE - 1)):
        await ordering.run_burst(stage, ground, AT_ONCE)
        resident.append(rss_mb(pid))
    half = resident[len(resident) // 2 :]
    growth = (half[-1] - half[0]) / max(1, (len(half) - 1) * AT_ONCE) * 10_000
    note = f"after {len(resident) * AT_ONCE:,} orders; floor: after the first {AT_ONCE:,}; highest {max(resident):.0f}"
    return [
        figure("memory", [resident[-1]], "MB", [resident[0]], note),
        figure("growth", [growth], "MB", note="for 10,000 orders, over the second half"),
    ]
