"""`ship` and `parcel`: what was handed to a carrier, and what became of it."""

import argparse
from uuid import UUID

from deploy.ops import actor
from deploy.ops.refunds import open_checkout, pieces
from deploy.ops.settings import OpsSettings
from services.checkout.actions import shipping
from services.checkout.domain import ParcelState, ParcelWanted
from services.checkout.store import orders as store
from shared.ids import uuid7


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds both commands to the parser."""
    command = commands.add_parser("ship", help="write down a parcel: all that is left to send, or lines of the order")
    command.add_argument("order", help="the order's number, such as K-3F7Q-29XM")
    command.add_argument("--carrier", required=True, help="such as UPS; customers read it")
    command.add_argument("--tracking-number", help="as the carrier gave it")
    command.add_argument(
        "--line", action="append", metavar="POSITION:QUANTITY", help="pieces of a line; may be repeated"
    )
    command.add_argument(
        "--parcel", type=UUID, help="its id; the same one again is the same parcel (default: a new one)"
    )
    actor.add_to(command)
    command.set_defaults(run=ship)

    command = commands.add_parser("parcel", help="say that a parcel was delivered, or came back")
    command.add_argument("order", help="the order's number")
    command.add_argument("parcel", type=UUID, help="the parcel's id, which `ship` printed")
    command.add_argument("state", choices=[ParcelState.DELIVERED.value, ParcelState.RETURNED.value])
    actor.add_to(command, is_reason_required=True)
    command.set_defaults(run=mark)


async def ship(settings: OpsSettings, arguments: argparse.Namespace) -> None:
    """Writes the parcel down; the customer is told by mail."""
    wanted = ParcelWanted(
        arguments.parcel or uuid7(),
        arguments.carrier,
        arguments.tracking_number.replace(" ", "") if arguments.tracking_number else None,
        pieces(arguments.line) if arguments.line else None,
        arguments.reason,
    )
    async with open_checkout(settings) as pool, pool.worker() as conn:
        order_id = await store.select_order_id(conn, arguments.order)
        parcel, is_new = await shipping.ship(conn, order_id, wanted, arguments.actor)
        order = await store.select_order(conn, order_id)
    held = ", ".join(f"{quantity} of line {at}" for at, quantity in parcel.lines.items())
    print(f"parcel {parcel.id}{'' if is_new else ' was known'}: {held}; order {order.number} is {order.fulfilment}")


async def mark(settings: OpsSettings, arguments: argparse.Namespace) -> None:
    """Moves the parcel, and with it the order."""
    async with open_checkout(settings) as pool, pool.worker() as conn:
        order_id = await store.select_order_id(conn, arguments.order)
        who = (arguments.actor, arguments.reason)
        parcel = await shipping.mark(conn, order_id, arguments.parcel, ParcelState(arguments.state), who)
        order = await store.select_order(conn, order_id)
    print(f"parcel {parcel.id} is {parcel.state}; order {order.number} is {order.fulfilment}")
