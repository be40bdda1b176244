"""`adjust-stock`: what a person counted, broke, lost, got back or had delivered."""

import argparse

from deploy.ops.settings import OpsSettings
from services.checkout.actions import stock
from services.checkout.domain import Adjustment, Reason
from shared.db import open_pool


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
