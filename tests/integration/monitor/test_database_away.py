"""While PostgreSQL is away nothing can be written down, and people hear of it all the same."""

import asyncio

from aiohttp.test_utils import TestClient, TestServer

from services.monitor.app import make
from services.monitor.handlers import DESK
from tests.integration.monitor.cable import Cable
from tests.integration.monitor.conftest import wait_until


async def test_people_hear_that_postgresql_is_away_and_that_it_is_back_once_each(settings, clean, slack, smtp):
    async with Cable(clean.url("monitor")).laid() as cable:
        chosen = settings(database_url=cable.url, database_away_after_s=0.3, silent_after_s=60, broker_away_after_s=60)
        async with TestClient(TestServer(make(chosen))) as client:
            sightings = client.app[DESK].sightings
            slack.faults.order("server_error", times=2)
            cable.cut()
            await slack.messages.wait_for(1, "CRITICAL: PostgreSQL away")
            cable.mend()
            await slack.messages.wait_for(1, "RESOLVED: PostgreSQL away")
            await wait_until(lambda: sightings.absence is None)

    assert [message.text.split(" (")[0] for message in slack.messages.all()] == [
        "CRITICAL: PostgreSQL away",
        "RESOLVED: PostgreSQL away",
    ]
    assert len(smtp.mailbox.all()) == 2


async def test_a_monitor_that_starts_while_postgresql_is_away_tells_people(settings, clean, slack):
    async with Cable(clean.url("monitor")).laid() as cable:
        cable.cut()
        chosen = settings(database_url=cable.url, database_away_after_s=0.3, silent_after_s=60, broker_away_after_s=60)
        async with TestClient(TestServer(make(chosen))) as client:
            await slack.messages.wait_for(1, "CRITICAL: PostgreSQL away")
            assert (await client.get("/readyz")).status == 503
            cable.mend()
            await slack.messages.wait_for(1, "RESOLVED: PostgreSQL away")
            async with asyncio.timeout(60):
                while (await client.get("/readyz")).status != 200:  # what it says is kept for a moment
                    await asyncio.sleep(0.05)
