"""What to tell when something went wrong: what failed, what the logs say last, and what to do next."""

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
LONGEST_LINE = 400


def words(error: BaseException) -> str:
    if isinstance(error, EXPECTED):
        return str(error)
    return "".join(traceback.format_exception(error, limit=-3)).rstrip()


def show_tails(account: Account, logs: Path, names: tuple[str, ...]) -> None:
    """The last lines of the logs that this failure is about."""
    for name in names:
        file = logs / f"{name}.log"
        lines = file.read_text(errors="replace").splitlines()[-TAIL_LINES:] if file.exists() else []
        account.detail(f"the last of {name}'s log:")
        for line in lines or ["(nothing)"]:
            account.detail(f"  {line[:LONGEST_LINE]}")


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
