"""`python -m tests.bench`, behind `make bench`: every figure beside a floor of the same run; writes build/bench/."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from deploy.demo import backing
from deploy.demo.account import on_stdout
from deploy.demo.backing import EX_CONFIG, Backing, NoBacking
from deploy.demo.keys import keys_from
from deploy.demo.programs import ROOT, SERVICES
from deploy.demo.stage import Options, Stage
from tests.bench import door, journey, ordering
from tests.bench.figures import Figure, show, write

OUT = ROOT / "build/bench"

# As a shop would run them, where the demo is quicker so that it can be watched.
AS_SHIPPED = {"REST_S": "0.1", "METRICS_INTERVAL_S": "5", "RETRY_STEPS_S": "[5, 30, 300]"}
SETTINGS = {f"{name.upper()}_{key}": value for name in SERVICES for key, value in AS_SHIPPED.items()}
NO_EXPIRY = {"CHECKOUT_RESERVATION_S": "1800"}


def main() -> None:
    account, began = on_stdout(), time.monotonic()
    account.title("Benchmarks: PostgreSQL waits for the disk, and every figure has its floor beside it")
    account.say(f"  load of the machine before: {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores")
    try:
        with backing.start(account.detail, durable=True) as ground:
            asyncio.run(_run(account.say, ground))
    except NoBacking as error:
        account.complain(str(error))
        sys.exit(EX_CONFIG)
    account.say(f"\n  {time.monotonic() - began:.0f} s; the figures are in {OUT.relative_to(ROOT)}/")


async def _run(say: Callable[[str], None], ground: Backing) -> None:
    with tempfile.TemporaryDirectory() as folder:
        catalogue = ordering.write_catalogue(Path(folder) / "catalogue.toml")
        options = Options(keys_from({}), changes=SETTINGS | NO_EXPIRY, catalogue=catalogue)
        async with Stage(ground, options, say) as stage:
            await stage.prepare()
            await stage.start()
            fsync = (await stage.look("SHOW fsync"))[0]["fsync"]
            say(f"  fsync {fsync}; the whole suite runs")
            await _keep(say, "orders", "POST /v1/orders", ordering.measure(stage, ground))
            await _keep(say, "click", "From click to client secret", journey.clicks(stage))
            await _keep(say, "mail", "From paid to mail accepted", journey.mails(stage))
            await stage.supervisor.stop()
            await _keep(say, "webhooks", "Webhook ingestion", door.measure(stage))


async def _keep(say: Callable[[str], None], name: str, title: str, measuring: Awaitable[list[Figure]]) -> None:
    before = os.getloadavg()[0]
    figures = await measuring
    write(OUT, name, figures)
    say(show(f"{title} (load before: {before:.2f})", figures))


if __name__ == "__main__":
    main()
