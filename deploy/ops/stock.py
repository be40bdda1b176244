"""`adjust-stock`: what a person counted, broke, lost, got back or had delivered."""

import argparse

from deploy.ops import actor
from deploy.ops.settings import OpsSettings
from services.checkout.actions import stock
from services.checkout.domain import ADJUSTMENTS, Adjustment, Reason
from shared.db import open_pool


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command and its arguments."""
    command = commands.add_parser("adjust-stock", help="pieces that were counted, broken, lost, returned or delivered")
    command.add_argument("sku")
    command.add_argument("--by", type=int, required=True, help="how many more (3) or fewer (-2) there are")
    command.add_argument("--reason", required=True, choices=[reason.value for reason in ADJUSTMENTS])
    command.add_argument("--note", help="what the journal shall say about it")
    command.add_argument("--actor", default=actor.login(), help="who did it (default: your login)")
    command.add_argument("--yes", action="store_true", help="do it; without this it only says what would change")
    command.set_defaults(run=adjust)


async def adjust(settings: OpsSettings, arguments: argparse.Namespace) -> None:
    """Says what the change would do, and does it with --yes."""
    wanted = Adjustment(arguments.sku, arguments.by, Reason(arguments.reason), arguments.note)
    actor, is_preview = f"ops {arguments.actor}", not arguments.yes
    async with open_pool(settings.database_url.get_secret_value(), "checkout", settings.role_prefix, 2) as pool:
        before, after = await stock.adjust(pool, wanted, actor, is_preview=is_preview)
    print(f"{wanted.sku}  {'before':>8} {'after':>8}")
    for name in ("on_hand", "reserved", "available"):
        print(f"  {name.replace('_', ' '):<{len(wanted.sku)}}{getattr(before, name):>8} {getattr(after, name):>8}")
    if is_preview:
        print("Nothing was changed. Run it again with --yes to do it.")
    else:
        print(f"Done, and journalled: {wanted.reason}, by {actor}.")
