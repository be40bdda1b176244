"""Parses what the operator typed and calls the command; says what to do next when something is missing."""

import argparse
import asyncio
import getpass
import os
import sys
from pathlib import Path

import asyncpg

from deploy.ops import catalogue, dead_letters, events
from deploy.ops.settings import OpsSettings
from services.webhooks.actions.redrive import STATES
from shared.errors import AppError
from shared.settings import load


def main() -> None:
    """Runs one command; leaves with 0 when it did what was asked, 1 when it could not."""
    arguments = _parser().parse_args()
    try:
        asyncio.run(arguments.run(load(OpsSettings), arguments))
    except (AppError, catalogue.Unreadable) as error:
        sys.exit(f"ops: {error}")
    except (OSError, asyncpg.PostgresError) as error:
        names = "OPS_DATABASE_URL, OPS_WEBHOOKS_DATABASE_URL and OPS_AMQP_URL"
        sys.exit(f"ops: {type(error).__name__}: {error}. Are {names} right?")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.ops", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("import-catalogue", help="products, variants, prices and first stock from a file")
    command.add_argument("file", type=Path)
    command.set_defaults(run=catalogue.import_file)

    command = commands.add_parser("dead-letters", help="how many messages each queue could not handle")
    command.set_defaults(run=dead_letters.show)

    command = commands.add_parser("redrive", help="put a queue's dead letters back into it")
    command.add_argument("queue", nargs="?", help="as `dead-letters` names it, for example notifier.on_order_paid")
    command.add_argument("--all", action="store_true", help="the dead letters of every queue")
    command.add_argument("--limit", type=int, default=1000, help="at most so many of a queue (default: 1000)")
    command.add_argument("--dry-run", action="store_true", help="show how many, and change nothing")
    command.add_argument("--yes", action="store_true", help="do it, with --all")
    _who(command)
    command.set_defaults(run=dead_letters.redrive)
    _add_events(commands)
    return parser


def _add_events(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
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
    _who(command)
    command.set_defaults(run=events.redrive_events)

    command = commands.add_parser("resync", help="announce what Stripe says of a payment now")
    command.add_argument("object", help="pi_…, evt_… or an order's id")
    _who(command, is_reason_required=True)
    command.set_defaults(run=events.ask_for_resync)


def _who(command: argparse.ArgumentParser, *, is_reason_required: bool = False) -> None:
    command.add_argument("--actor", default=f"ops {_login()}"[:200], help="who does it, for the audit trail")
    command.add_argument("--reason", required=is_reason_required, help="why, for the audit trail")


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user has no name
        return str(os.getuid())
