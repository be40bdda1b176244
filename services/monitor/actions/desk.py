"""What nearly every action of the monitor needs at hand."""

from dataclasses import dataclass

import aiohttp

from services.monitor.domain.sightings import Sightings
from services.monitor.settings import MonitorSettings
from shared.bus import Bus
from shared.db import Pool


@dataclass(frozen=True)
class Desk:
    settings: MonitorSettings
    pool: Pool
    bus: Bus
    sightings: Sightings
    probing: aiohttp.ClientSession
