"""Passing stored events on once more, under the same ids: whoever has handled one does nothing.

For events that could not be translated until the code was mended, that a bug ignored, or that a consumer lost.
"""

from collections.abc import AsyncIterator
from dataclasses import asdict, replace

from services.webhooks.store import redrive as store
from services.webhooks.store.redrive import STATES, Place, Preview, Selection
from shared.audit import audit
from shared.db import Pool
from shared.errors import Invalid

__all__ = ["STATES", "Preview", "Selection", "preview", "redrive"]

# One transaction each: short enough that the publisher, which locks the same rows, hardly waits.
BATCH = 500


async def preview(pool: Pool, selection: Selection) -> Preview:
    """What would be passed on again."""
    _check(selection)
    async with pool.worker() as conn:
        return await store.select_preview(conn, selection)


async def redrive(pool: Pool, selection: Selection, actor: str, reason: str, batch: int = BATCH) -> AsyncIterator[int]:
    """Puts the selected events back to where the publisher takes them from, batch by batch; yields how many so far.

    Each batch commits with its row in the audit trail. What arrives or is published meanwhile isn't touched again.
    """
    _check(selection)
    if not reason.strip():
        raise Invalid("say why", field="reason")
    async with pool.worker() as conn:
        now = await store.select_clock(conn)
    fixed = replace(selection, until=min(selection.until, now) if selection.until else now)
    done, after = 0, None
    while (moved := await _move(pool, fixed, after, (actor, reason, batch))).count:
        done, after = done + moved.count, moved.last
        yield done


async def _move(pool: Pool, selection: Selection, after: Place | None, how: tuple[str, str, int]) -> store.Moved:
    actor, reason, batch = how
    async with pool.worker() as conn:
        moved = await store.update_received(conn, selection, after, batch)
        if moved.last is not None:
            chosen = {name: value and str(value) for name, value in asdict(selection).items() if name != "states"}
            details = {**chosen, "states": list(selection.states), "events": moved.count, "last": moved.last.event_id}
            subject = f"stripe event {selection.event_id}" if selection.event_id else "stripe events"
            await audit(
                conn, actor=actor, action="redrive events", subject=subject[:200], reason=reason, details=details
            )
    return moved


def _check(selection: Selection) -> None:
    if unknown := set(selection.states) - set(STATES):
        raise Invalid(f"{', '.join(sorted(unknown))}: no state to redrive from; there are {', '.join(STATES)}")
    if selection.since and selection.until and selection.since >= selection.until:
        raise Invalid("the range ends before it begins", field="until")
