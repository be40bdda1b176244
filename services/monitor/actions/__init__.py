"""What the monitor does."""

from services.monitor.actions.absence import watch_database
from services.monitor.actions.auditing import check_invariants
from services.monitor.actions.desk import Desk
from services.monitor.actions.evaluating import evaluate, make
from services.monitor.actions.exposing import expose
from services.monitor.actions.gathering import gather
from services.monitor.actions.hearing import hear, look, note_event
from services.monitor.actions.probing import probe
from services.monitor.actions.status import read_status
from services.monitor.actions.telling import Channel, tell

__all__ = [
    "Channel",
    "Desk",
    "check_invariants",
    "evaluate",
    "expose",
    "gather",
    "hear",
    "look",
    "make",
    "note_event",
    "probe",
    "read_status",
    "tell",
    "watch_database",
]
