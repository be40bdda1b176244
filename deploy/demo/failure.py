"""What to tell when something went wrong: what failed, what the logs say last, and what to do next."""

import json
import shutil
import traceback
from pathlib import Path

from deploy.demo.account import Account
from deploy.demo.backing import NoBacking
from deploy.demo.private import ServerFailed
from deploy.demo.shopper import Surprised
from deploy.demo.stage import StageFailed
from deploy.demo.supervisor import NotHealthy
from deploy.demo.waiting import TooLate
from deploy.demo.walk.scene import Wrong

#: Errors whose message says it all; for any other the place is told too.
EXPECTED = (StageFailed, NotHealthy, ServerFailed, TooLate, Wrong, Surprised, NoBacking)

TAIL_LINES = 6
LONGEST_LINE = 300

#: What every line has, and nobody reads here.
UNTOLD = {"ts", "level", "message", "service", "instance", "logger", "trace_id", "request_id"}


def words(error: BaseException) -> str:
    if isinstance(error, EXPECTED):
        return str(error)
    return "".join(traceback.format_exception(error, limit=-3)).rstrip()


def show_tails(account: Account, logs: Path, names: tuple[str, ...]) -> None:
    """The last lines of the logs that this failure is about, without the requests that went well."""
    for name in names:
        file = logs / f"{name}.log"
        lines = file.read_text(errors="replace").splitlines() if file.exists() else []
        telling = [line for line in map(readable, lines) if line][-TAIL_LINES:]
        account.detail(f"the last of {name}'s log:")
        for line in telling or ["(nothing)"]:
            account.detail(f"  {line[:LONGEST_LINE]}")


def readable(line: str) -> str:
    """A line of a log as a person reads it: time, level, message, facts; nothing for an ordinary request."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    if not isinstance(entry, dict) or "message" not in entry:
        return line
    if entry.get("logger") == "shared.web.access" and int(entry.get("status", 0)) < 400:
        return ""
    facts = " ".join(f"{name}={value}" for name, value in entry.items() if name not in UNTOLD)
    return f"{str(entry.get('ts', ''))[11:23]} {entry.get('level', '')} {entry['message']} {facts}".rstrip()


def keep(account: Account, logs: Path, place: Path) -> None:
    """Copy all logs to where they outlive the demo."""
    if not logs.exists():
        return
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(logs, place)
    account.say()
    account.complain(f"{', '.join(step.name for step in account.failed) or 'A step'} failed.")
    account.say(f"  All logs are kept in {place}.")
    account.say('  Next: read the last lines above; `grep -h \'"level":"ERROR"\' ' + f"{place}/*.log` finds the rest.")
    account.say("  A machine that is busy with other things may be too slow for the deadlines: run it once more.")
