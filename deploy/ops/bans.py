"""`bans`: which addresses Stripe's door is shut to, and how to open it for one of them before its time."""

import argparse
import ipaddress

from deploy.ops.settings import OpsSettings
from services.webhooks.store import bans as store
from services.webhooks.store.bans import Ban
from shared.audit import audit
from shared.db import open_pool
from shared.errors import Invalid, NotFound
from shared.web.address import household

ACTOR = "operator"
MOST_SHOWN = 200
SERVICE = "webhooks"


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command and its arguments."""
    command = commands.add_parser("bans", help="which addresses Stripe's door is shut to")
    command.add_argument("--lift", metavar="ADDRESS", help="let this one in again")
    command.set_defaults(run=run)


async def run(settings: OpsSettings, arguments: argparse.Namespace) -> None:
    """Lists the bans, or lifts one."""
    url, prefix = settings.webhooks_database(), settings.role_prefix
    async with open_pool(url, SERVICE, prefix, connections=2) as pool, pool.worker() as conn:
        if arguments.lift is None:
            _show(await store.list_bans(conn, MOST_SHOWN + 1))
            return
        address = _banned_as(arguments.lift)
        if not await store.lift_ban(conn, address):
            raise NotFound(f"{address} is not banned; `bans` without --lift lists who is")
        await audit(conn, actor=ACTOR, action="lift ban", subject=f"address {address}")
    print(f"{address} is let in again; every process knows within a few seconds.")


def _show(bans: list[Ban]) -> None:
    for ban in bans[:MOST_SHOWN]:
        often = "" if ban.bans == 1 else f", for the {ban.bans}th time"
        print(f"{ban.address:<43} until {ban.until:%Y-%m-%d %H:%M} UTC  {ban.sightings} {ban.kind}{often}")
    if len(bans) > MOST_SHOWN:
        print(f"and more; these are the {MOST_SHOWN} longest")
    if not bans:
        print("No address is banned.")


def _banned_as(text: str) -> str:
    """An address, or a network as `bans` shows it, in the form that bans are kept in."""
    try:
        address = ipaddress.ip_network(text, strict=False).network_address
    except ValueError:
        raise Invalid(f"{text!r} is no address; it looks like 203.0.113.7 or 2001:db8::/64") from None
    return household(str(address))
