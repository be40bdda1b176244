"""Taking in what the others send: events and snapshots of figures."""

import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from services.monitor.actions.desk import Desk
from services.monitor.actions.figures import SNAPSHOTS
from services.monitor.domain.events import seen
from services.monitor.domain.sightings import Sightings
from services.monitor.store import disputes as dispute_store
from services.monitor.store import events as event_store
from services.monitor.store import orders as order_store
from services.monitor.store import stock as stock_store
from shared.db import Connection
from shared.events import Event, OrderDisputed, OrderHeld, OrderReleased, StockEvent
from shared.metrics import SnapshotMalformed, parse_snapshot

log = logging.getLogger(__name__)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,199}")

# More processes than this are no shop of ours; their figures would only fill the memory.
MOST_PROCESSES = 500


async def note_event(conn: Connection, event: Event) -> None:
    """Keeps what rules and page need of an event."""
    await event_store.insert_seen_event(conn, seen(event))
    if isinstance(event, StockEvent):
        await stock_store.upsert_level(conn, event)
    if isinstance(event, OrderHeld | OrderReleased):
        await order_store.upsert_held(conn, event)
    if isinstance(event, OrderDisputed):
        await dispute_store.upsert_dispute(conn, event)


def look(desk: Desk) -> None:
    """Notices whether we can hear at all."""
    longest_gap = timedelta(seconds=desk.settings.silent_after_s / 2)
    desk.sightings.notice_broker(desk.bus.is_connected, datetime.now(UTC), longest_gap)


def hear(sightings: Sightings, body: bytes, headers: Mapping[str, object]) -> None:
    """Takes in one snapshot. Never raises: one that can't be read must not silence the others."""
    try:
        snapshot = parse_snapshot(body)
    except SnapshotMalformed as error:
        _refuse("malformed", str(error))
        return
    service, instance = str(headers.get("service", "")), str(headers.get("instance", ""))
    if not (NAME.fullmatch(service) and NAME.fullmatch(instance)):
        _refuse("unnamed", "service or instance is missing or odd")
        return
    processes = sightings.figures.processes()
    if (service, instance) not in processes and len(processes) >= MOST_PROCESSES:
        _refuse("too_many", f"there are {MOST_PROCESSES} processes already")
        return
    sightings.hear(service, instance, snapshot, datetime.now(UTC))
    SNAPSHOTS.labels(outcome="taken").inc()


def _refuse(outcome: str, reason: str) -> None:
    SNAPSHOTS.labels(outcome=outcome).inc()
    log.warning("snapshot refused", extra={"reason": reason})
