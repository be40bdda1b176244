"""Parses what the operator typed and calls the command; says what to do next when something is missing."""

import argparse
import asyncio
import getpass
import sys
from pathlib import Path

import asyncpg

from deploy.ops import bans, catalogue, dead_letters, stock
from deploy.ops.settings import OpsSettings
from deploy.ops.unreadable import Unreadable
from services.checkout.actions.importing import ImportRefused
from services.checkout.domain import ADJUSTMENTS
from shared.errors import AppError
from shared.settings import load


def main() -> None:
    """Runs one command; leaves with 0 when it did what was asked, 1 when it could not."""
    arguments = _parser().parse_args()
    try:
        asyncio.run(arguments.run(load(OpsSettings), arguments))
    except (AppError, Unreadable) as error:
        for each in error.errors if isinstance(error, ImportRefused) else ():
            print(f"{each.field}: {each.detail}", file=sys.stderr)
        sys.exit(f"ops: {error}")
    except (OSError, asyncpg.PostgresError) as error:
        sys.exit(f"ops: {type(error).__name__}: {error}. Are OPS_DATABASE_URL and OPS_AMQP_URL right?")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.ops", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser(
        "import-catalogue", help="products, variants, prices and stock from a file: TOML at once, CSV after a preview"
    )
    command.add_argument("file", type=Path)
    command.add_argument("--yes", action="store_true", help="write what the preview of a CSV file shows")
    command.add_argument(
        "--deactivate-missing", action="store_true", help="take off sale what is in the shop and not in the CSV file"
    )
    command.set_defaults(run=catalogue.import_file)

    command = commands.add_parser("adjust-stock", help="pieces that were counted, broken, lost, returned or delivered")
    command.add_argument("sku")
    command.add_argument("--by", type=int, required=True, help="how many more (3) or fewer (-2) there are")
    command.add_argument("--reason", required=True, choices=[reason.value for reason in ADJUSTMENTS])
    command.add_argument("--note", help="what the journal shall say about it")
    command.add_argument("--actor", default=getpass.getuser(), help="who did it (default: your login)")
    command.add_argument("--yes", action="store_true", help="do it; without this it only says what would change")
    command.set_defaults(run=stock.adjust)

    command = commands.add_parser("dead-letters", help="how many messages each queue could not handle")
    command.set_defaults(run=dead_letters.show)

    command = commands.add_parser("redrive", help="put a queue's dead letters back into it")
    command.add_argument("queue", help="as `dead-letters` names it, for example notifier.on_order_paid")
    command.add_argument("--limit", type=int, default=1000, help="at most so many (default: 1000)")
    command.set_defaults(run=dead_letters.redrive)

    command = commands.add_parser("bans", help="which addresses Stripe's door is shut to")
    command.add_argument("--lift", metavar="ADDRESS", help="let this one in again")
    command.set_defaults(run=bans.run)
    return parser
