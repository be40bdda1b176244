"""Asking the services directly, as an outside client would."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import aiohttp
import orjson

from services.monitor.actions.desk import Desk
from services.monitor.domain.facts import Probe
from services.monitor.domain.probes import read_probe


async def probe(desk: Desk) -> None:
    """Asks every /readyz, if the broker is away or has only just come back."""
    period = timedelta(seconds=desk.settings.silent_after_s)
    if desk.sightings.broker.is_settled(datetime.now(UTC), period):
        desk.sightings.readiness = {}
        return
    probes = desk.settings.probes()
    answers = await asyncio.gather(*(_ask(desk.probing, url) for url in probes.values()))
    desk.sightings.readiness = dict(zip(probes, answers, strict=True))


async def _ask(session: aiohttp.ClientSession, url: str) -> Probe:
    try:
        async with session.get(url) as response:
            body = await response.content.read(65_536)
            document: object = None
            with contextlib.suppress(orjson.JSONDecodeError):
                document = orjson.loads(body)
            return read_probe(response.status, document, datetime.now(UTC))
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Probe(False, f"no answer ({type(error).__name__})", datetime.now(UTC))
