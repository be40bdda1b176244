"""What the monitor hears from the others."""

from services.monitor import actions
from shared.db import Connection
from shared.events import Event


async def on_event(conn: Connection, event: Event) -> None:
    await actions.note_event(conn, event)
