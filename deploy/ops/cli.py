"""Parses what the operator typed and calls the command; says what to do next when something is missing."""

import argparse
import asyncio
import sys

import asyncpg

from deploy.ops import (
    bans,
    catalogue,
    dead_letters,
    events,
    letters,
    parcels,
    reconcile,
    refunds,
    staff_session,
    stock,
    webhook_secrets,
)
from deploy.ops.settings import OpsSettings
from deploy.ops.unreadable import Unreadable
from services.checkout.actions.importing import ImportRefused
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
        sys.exit(f"ops: {type(error).__name__}: {error}. Are OPS_AMQP_URL and the OPS_…DATABASE_URL right?")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.ops", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    for module in (
        catalogue,
        stock,
        refunds,
        parcels,
        reconcile,
        dead_letters,
        events,
        letters,
        bans,
        webhook_secrets,
        staff_session,
    ):
        module.add_to(commands)
    return parser
