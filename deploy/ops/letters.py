"""`resend-letters`: mails that a server refused, or that expired, go once more when the cause is mended."""

import argparse
from collections import Counter
from datetime import timedelta

from deploy.ops import actor
from deploy.ops.events import moment
from deploy.ops.settings import OpsSettings
from services.notifier.actions import resending
from services.notifier.domain import Kind, State
from services.notifier.store import Ended, Selection
from shared.db import open_pool
from shared.errors import Invalid


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command and its arguments."""
    command = commands.add_parser("resend-letters", help="send mails again that were refused or expired")
    command.add_argument("--order", help="of one order: its number; also to an address that a server refused")
    command.add_argument("--since", help="that ended since then, for example 2026-11-25T14:30 (UTC)")
    command.add_argument("--until", help="that ended before then")
    command.add_argument(
        "--kind", action="append", choices=[*Kind], help="of this kind (default: all but payment_failed)"
    )
    command.add_argument(
        "--also",
        action="append",
        choices=[*resending.MAY_HAVE_ARRIVED],
        default=[],
        help="those too that may have arrived: their customers may get a second copy",
    )
    command.add_argument("--hours", type=float, default=24.0, help="how long they are worth sending (default: 24)")
    command.add_argument("--limit", type=int, default=1000, help="at most so many, oldest first (default: 1000)")
    command.add_argument("--yes", action="store_true", help="do it; without, only show what is selected")
    actor.add_to(command)
    command.set_defaults(run=resend_letters)


async def resend_letters(settings: OpsSettings, arguments: argparse.Namespace) -> None:
    """Shows what is selected; with --yes, makes it due now."""
    selection, limit = _selection(arguments), arguments.limit
    url = settings.notifier_database()
    async with open_pool(url, "notifier", settings.role_prefix, 2) as pool, pool.worker() as conn:
        if not arguments.yes:
            _show(await resending.preview(conn, selection, limit), limit)
            print("Nothing was changed. With --yes --reason WHY they are sent again.")
            return
        who = (arguments.actor, arguments.reason)
        found = await resending.resend(conn, selection, limit, timedelta(hours=arguments.hours), who)
    _show(found, limit)
    print("notifier sends them as fast as NOTIFIER_CONCURRENCY allows; what became untrue is withdrawn.")


def _selection(arguments: argparse.Namespace) -> Selection:
    if arguments.hours <= 0 or arguments.limit < 1:
        raise Invalid("--hours and --limit have to be more than 0")
    return Selection(
        kinds=tuple(Kind(kind) for kind in arguments.kind or resending.USUAL),
        order=arguments.order,
        since=moment(arguments.since),
        until=moment(arguments.until),
        also=tuple(State(state) for state in arguments.also),
    )


def _show(found: list[Ended], limit: int) -> None:
    for (kind, state, reason), count in sorted(Counter((ed.kind, ed.state, ed.reason or "") for ed in found).items()):
        print(f"{count:7}  {kind}  {state} {reason}")
    print(f"{len(found):7}  in all" + (f"; --limit {limit} leaves out what may be more" if len(found) == limit else ""))
    if doubles := sum(letter.may_have_arrived for letter in found):
        print(f"Careful: {doubles} of them may have arrived; their customers may get a second copy.")
