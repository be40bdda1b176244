"""`python -m tests.bench [NAME…]`, behind `make bench`: every figure beside a floor of the same run.

Without a name: all but the long ones; with names, such as `make bench ONLY="webhooks backlog"`, those alone.
Each writes build/bench/NAME.json. ORDERS=… says how many orders "grown" and "memory" take instead of their own number.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from deploy.demo import backing
from deploy.demo.account import on_stdout
from deploy.demo.backing import EX_CONFIG, Backing, NoBacking
from deploy.demo.keys import keys_from
from deploy.demo.programs import ROOT, SERVICES
from deploy.demo.stage import Options, Stage
from tests.bench import backlog, door, grown, journey, memory, ordering, stored
from tests.bench.figures import Figure, show, write

OUT = ROOT / "build/bench"

# As a shop would run them, where the demo is quicker so that it can be watched.
AS_SHIPPED = {"REST_S": "0.1", "METRICS_INTERVAL_S": "5", "RETRY_STEPS_S": "[5, 30, 300]"}
SETTINGS = {f"{name.upper()}_{key}": value for name in SERVICES for key, value in AS_SHIPPED.items()}
# All orders are one shopper's, who pays none of them.
UNPAID = {"CHECKOUT_RESERVATION_S": "1800", "CHECKOUT_CARD_TESTING": "report"}


EX_USAGE = 64

Measure = Callable[[Stage, Backing], Awaitable[list[Figure]]]

SUITE: dict[str, tuple[str, Measure]] = {
    "orders": ("POST /v1/orders", ordering.measure),
    "click": ("From click to client secret", journey.clicks),
    "mail": ("From paid to mail accepted", journey.mails),
    "grown": ("POST /v1/orders with millions of orders in the tables", grown.measure),
    "memory": ("Memory of checkout after many orders", memory.measure),
}
# With webhooks alone running.
ALONE: dict[str, tuple[str, Measure]] = {
    "webhooks": ("Webhook ingestion", door.measure),
    "stored": ("Webhook ingestion beside a million events stored", stored.measure),
    "backlog": ("Webhook ingestion without a broker, and publishing afterwards", backlog.measure),
}
# Only when they are asked for.
LONG = {"grown", "memory", "stored", "backlog"}


def main() -> None:
    account, began = on_stdout(), time.monotonic()
    chosen = sys.argv[1:] or [name for name in {**SUITE, **ALONE} if name not in LONG]
    if unknown := set(chosen) - {*SUITE, *ALONE}:
        account.complain(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join({**SUITE, **ALONE})}")
        sys.exit(EX_USAGE)
    account.title("Benchmarks: PostgreSQL waits for the disk, and every figure has its floor beside it")
    account.say(f"  load of the machine before: {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores")
    try:
        with backing.start(account.detail, durable=True) as ground:
            asyncio.run(_run(account.say, ground, chosen))
    except NoBacking as error:
        account.complain(str(error))
        sys.exit(EX_CONFIG)
    account.say(f"\n  {time.monotonic() - began:.0f} s; the figures are in {OUT.relative_to(ROOT)}/")


async def _run(say: Callable[[str], None], ground: Backing, chosen: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        catalogue = ordering.write_catalogue(Path(folder) / "catalogue.toml")
        options = Options(keys_from({}), changes=SETTINGS | UNPAID, catalogue=catalogue)
        async with Stage(ground, options, say) as stage:
            await stage.prepare()
            say(f"  fsync {(await stage.look('SHOW fsync'))[0]['fsync']}")
            if SUITE.keys() & chosen:
                await stage.start()
                say("  the whole suite runs")
                for name, (title, measure) in SUITE.items():
                    if name in chosen:
                        await _keep(say, name, title, measure(stage, ground))
                await stage.supervisor.stop()
            for name, (title, measure) in ALONE.items():
                if name in chosen:
                    await _keep(say, name, title, measure(stage, ground))
                    await stage.supervisor.stop()


async def _keep(say: Callable[[str], None], name: str, title: str, measuring: Awaitable[list[Figure]]) -> None:
    before = os.getloadavg()[0]
    figures = await measuring
    write(OUT, name, figures)
    say(show(f"{title} (load before: {before:.2f})", figures))


if __name__ == "__main__":
    main()
