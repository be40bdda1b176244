"""`redrive-events` and `resync`: what Stripe said once more, as it is stored here or as Stripe has it now."""

import argparse
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from deploy.ops import actor
from deploy.ops.settings import OpsSettings
from services.webhooks.actions import redrive, resync
from services.webhooks.actions.redrive import STATES, Preview, Selection
from shared.db import Pool, open_pool
from shared.errors import Invalid


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The commands and their arguments."""
    command = commands.add_parser("redrive-events", help="publish stored Stripe events again, under the same ids")
    command.add_argument("--event", help="one: evt_…")
    command.add_argument("--type", help="of one type, for example payment_intent.succeeded")
    command.add_argument("--since", help="received since then, for example 2026-11-25T14:30 (UTC)")
    command.add_argument("--until", help="received before then")
    command.add_argument("--failed", action="store_true", help="all that could not be translated")
    command.add_argument(
        "--state", action="append", choices=STATES, help="in this state (default: failed; any, with --event)"
    )
    command.add_argument("--yes", action="store_true", help="do it; without, only show what is selected")
    actor.add_to(command)
    command.set_defaults(run=redrive_events)
    command = commands.add_parser("resync", help="announce what Stripe says of a payment now")
    command.add_argument("object", help="pi_…, evt_… or an order's id")
    actor.add_to(command, is_reason_required=True)
    command.set_defaults(run=ask_for_resync)


async def redrive_events(settings: OpsSettings, arguments: argparse.Namespace) -> None:
    """Shows what is selected; with --yes, puts it back to where the publisher takes it from."""
    selection = _selection(arguments)
    async with _opened(settings) as pool:
        found = await redrive.preview(pool, selection)
        _show(found)
        if not found.count:
            return
        if not arguments.yes:
            print("Nothing was changed. With --yes --reason WHY they are published again, under the same ids.")
            return
        async for done in redrive.redrive(pool, selection, arguments.actor, arguments.reason or ""):
            print(f"{done} of {found.count} put back")
    print("webhooks publishes them within seconds; consumers that have handled one do nothing.")


def _selection(arguments: argparse.Namespace) -> Selection:
    if not (arguments.event or arguments.type or arguments.since or arguments.failed):
        raise Invalid("say which: --event, --type, --since (and --until), or --failed for all that failed")
    states = tuple(arguments.state or (STATES if arguments.event else ("failed",)))
    return Selection(states, arguments.event, arguments.type, moment(arguments.since), moment(arguments.until))


def moment(text: str | None) -> datetime | None:
    """ISO 8601; without a zone it is UTC."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text} is no time; write 2026-11-25 or 2026-11-25T14:30") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _show(found: Preview) -> None:
    for type_, count in found.by_type.items():
        print(f"{count:7}  {type_}")
    if found.first and found.last:
        first, last = (f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (found.first, found.last))
        print(f"{found.count:7}  in all, received from {first} to {last} UTC")
    else:
        print("No stored event is selected.")


async def ask_for_resync(settings: OpsSettings, arguments: argparse.Namespace) -> None:
    """Writes the wish down; the running service fetches the object and announces it."""
    async with _opened(settings) as pool, pool.worker() as conn:
        resync_id = await resync.request(conn, arguments.object, arguments.actor, arguments.reason)
        is_served = await resync.is_served(conn)
    print(f"resync {resync_id} of {arguments.object} is asked for; webhooks fetches it from Stripe and announces it")
    if not is_served:
        print(
            "Warning: it waits, since no webhooks that has a key for Stripe (WEBHOOKS_STRIPE_SECRET_KEY) was lately up."
        )


@contextlib.asynccontextmanager
async def _opened(settings: OpsSettings) -> AsyncIterator[Pool]:
    if settings.webhooks_database_url is None:
        raise Invalid("OPS_WEBHOOKS_DATABASE_URL is missing: the database under the login of webhooks")
    url = settings.webhooks_database_url.get_secret_value()
    async with open_pool(url, "webhooks", settings.role_prefix, 2) as pool:
        yield pool
