"""Parses what the operator typed and calls the command; says what to do next when something is missing."""

import argparse
import asyncio
import sys
from pathlib import Path

import asyncpg

from deploy.ops import catalogue, dead_letters, refunds
from deploy.ops.settings import OpsSettings
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
        sys.exit(f"ops: {type(error).__name__}: {error}. Are OPS_DATABASE_URL and OPS_AMQP_URL right?")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.ops", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("import-catalogue", help="products, variants, prices and first stock from a file")
    command.add_argument("file", type=Path)
    command.set_defaults(run=catalogue.import_file)

    command = commands.add_parser("dead-letters", help="how many messages each queue could not handle")
    command.set_defaults(run=dead_letters.show)

    command = commands.add_parser("redrive", help="put a queue's dead letters back into it")
    command.add_argument("queue", help="as `dead-letters` names it, for example notifier.on_order_paid")
    command.add_argument("--limit", type=int, default=1000, help="at most so many (default: 1000)")
    command.set_defaults(run=dead_letters.redrive)

    refunds.add_to(commands)
    return parser
