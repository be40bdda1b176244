"""An operator has letters sent again that a server refused, or that expired, for a reason that is mended by now.

They go the usual way: what became untrue meanwhile is withdrawn, and the journal is asked. What may have arrived is
left out unless it is asked for by name, since its customer may get a second copy.
"""

from collections import Counter
from dataclasses import asdict
from datetime import timedelta

from services.notifier import store
from services.notifier.domain import Kind, State
from services.notifier.store import Ended, Selection
from shared.audit import audit
from shared.db import Connection
from shared.errors import Invalid

# A reminder to pay, days later, reminds of an order that is over.
USUAL = tuple(kind for kind in Kind if kind is not Kind.PAYMENT_FAILED)
MAY_HAVE_ARRIVED = (State.UNKNOWN, State.ACCEPTED)


async def preview(conn: Connection, selection: Selection, limit: int) -> list[Ended]:
    """What would be sent again; raises Invalid for a selection that selects everything."""
    if selection.order is None and selection.since is None:
        raise Invalid("say which: --order, or --since (and --until)")
    return await store.select_ended_for_update(conn, selection, limit)


async def resend(
    conn: Connection, selection: Selection, limit: int, expiry: timedelta, who: tuple[str, str | None]
) -> list[Ended]:
    """Makes the selected letters due again, with a row in the audit trail; `who` is the actor and the reason."""
    actor, reason = who
    if not (reason or "").strip():
        raise Invalid("say why, with --reason", field="reason")
    found = await preview(conn, selection, limit)
    if not found:
        return []
    await store.update_to_pending(conn, [letter.id for letter in found], expiry)
    counts = Counter(f"{letter.kind} {letter.state}" for letter in found)
    chosen = {name: str(value) for name, value in asdict(selection).items() if value and name in ("since", "until")}
    details: dict[str, object] = {**chosen, "letters": dict(counts), "also": [*selection.also]}
    subject = f"order {selection.order}"[:200] if selection.order else "letters"
    await audit(conn, actor=actor, action="resend letters", subject=subject, reason=reason, details=details)
    return found
