"""The process under fire: started as it is deployed, looked at from outside."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import asyncpg
import orjson
import psutil

from tests.stripe_events import SECRET, an_event, body_of, signature

ROOT = Path(__file__).resolve().parents[2]
START_WITHIN_S = 60.0
STOP_WITHIN_S = 30.0

# The guard counts and bans as ever, but refuses late, so that what is hostile gets as deep as it can.
SETTINGS = {
    "WEBHOOKS_PORT": "0",
    "WEBHOOKS_LIVEMODE": "false",
    "WEBHOOKS_STRIPE_SECRETS": SECRET,
    "WEBHOOKS_TRUSTED_HOPS": "1",
    "WEBHOOKS_EXTRA_SENDERS": "127.0.0.0/8,198.51.0.0/16,2001:db8::/32",
    "WEBHOOKS_UNVERIFIED_IN_ALL_PER_MINUTE": "1000000",
    "WEBHOOKS_METRICS_INTERVAL_S": "5",
    "WEBHOOKS_STORE_TIMEOUT_S": "20",  # a machine that stalls for seconds is no outage
}


@dataclass(frozen=True)
class Target:
    """A running process, its log, and the database it stores in."""

    port: int
    process: psutil.Process
    log: Path
    auditor_url: str
    asked: set[str] = field(default_factory=set)  # ids of events that were sent to see whether it is well

    def rss_mb(self) -> float:
        return self.process.memory_info().rss / 2**20

    def complaints(self) -> list[str]:
        """Lines of the log that say that something of ours broke."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [line[:2000] for line in lines if _is_complaint(line)]

    async def is_well(self) -> bool:
        """Whether it is ready and takes an event."""
        event = an_event()
        self.asked.add(event["id"])
        body = body_of(event)
        url = f"http://127.0.0.1:{self.port}"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
            async with session.get(f"{url}/readyz") as response:
                is_ready = response.status == 200
            headers = {"Stripe-Signature": signature(body)}
            async with session.post(f"{url}/webhooks/stripe", data=body, headers=headers) as response:
                return is_ready and response.status == 200

    async def stored(self) -> dict[str, bytes]:
        """Every event that is stored, by its id."""
        conn = await asyncpg.connect(self.auditor_url)
        try:
            rows = await conn.fetch("SELECT stripe_event_id, body FROM webhooks.stripe_events")
            return {row["stripe_event_id"]: bytes(row["body"]) for row in rows}
        finally:
            await conn.close()


@asynccontextmanager
async def running(environment: Mapping[str, str], auditor_url: str) -> AsyncIterator[Target]:
    """The process; it is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "webhooks.log"
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "services.webhooks"),
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], **SETTINGS, **environment},
                stdout=out,
                stderr=out,
            )
        try:
            port = await asyncio.wait_for(_port(log), START_WITHIN_S)
            target = Target(port, psutil.Process(process.pid), log, auditor_url)
            async with asyncio.timeout(START_WITHIN_S):
                while not await target.is_well():  # the broker may take a moment
                    await asyncio.sleep(0.1)
            yield target
        finally:
            if process.returncode is None:
                process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), STOP_WITHIN_S)
                except TimeoutError:
                    process.kill()
                    await process.wait()


def _is_complaint(line: str) -> bool:
    if "Traceback" in line or not line.startswith("{"):
        return True
    # An error for people, not of ours: a signed event lacks what its type must have.
    return '"level":"ERROR"' in line and '"message":"event not translated"' not in line


async def _port(log: Path) -> int:
    while True:
        for line in log.read_text(errors="replace").splitlines():
            if '"message":"listening"' in line:
                return int(orjson.loads(line)["port"])
        await asyncio.sleep(0.05)
