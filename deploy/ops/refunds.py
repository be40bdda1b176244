"""`refund` and `release-hold`: giving money back, and freeing an order once a person has dealt with it.

The command writes the wish down; checkout's job asks Stripe, so that a lost line or a closed terminal loses nothing.
"""

import argparse
import asyncio
import time
from contextlib import AbstractAsyncContextManager

from deploy.ops import actor
from deploy.ops.settings import OpsSettings
from services.checkout.actions import refunds, releasing
from services.checkout.domain import Refund, RefundState, RefundWanted
from services.checkout.store import orders as store
from services.checkout.store import refunds as refund_store
from shared.db import Pool, open_pool
from shared.errors import Invalid
from shared.ids import uuid7

LOOK_S = 0.2


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds both commands to the parser."""
    command = commands.add_parser("refund", help="give money back: all that is left, an amount, or lines of the order")
    command.add_argument("order", help="the order's number, such as K-3F7Q-29XM")
    what = command.add_mutually_exclusive_group()
    what.add_argument("--amount-minor", type=int, help="in the currency's smallest unit: 1250 for $12.50")
    what.add_argument("--line", action="append", metavar="POSITION:QUANTITY", help="pieces of a line; may be repeated")
    command.add_argument("--payment", help="the PaymentIntent, for money that did not settle the order")
    actor.add_to(command, is_reason_required=True)
    command.add_argument("--restock", action="store_true", help="the pieces come back on the shelf")
    command.add_argument("--yes", action="store_true", help="do it; without it, only say what would be done")
    command.add_argument("--wait-s", type=float, default=30, help="how long to wait for Stripe's answer (default: 30)")
    command.set_defaults(run=refund)

    command = commands.add_parser(
        "release-hold", help="free an order whose failed refund or fraud warning has been dealt with"
    )
    command.add_argument("order", help="the order's number")
    actor.add_to(command, is_reason_required=True)
    command.set_defaults(run=release_hold)


async def refund(settings: OpsSettings, arguments: argparse.Namespace) -> None:
    """Says what would be given back; with --yes writes it down and waits for Stripe's answer."""
    wanted = _wanted(arguments)
    async with open_checkout(settings) as pool:
        async with pool.worker() as conn:
            order_id = await store.select_order_id(conn, arguments.order)
            order = await store.select_order_for_update(conn, order_id)
            income, plan = await refunds.preview(conn, order, wanted)
            pieces = ", ".join(f"{quantity} of line {at}" for at, quantity in plan.lines.items()) or "no lines"
            shelf = ", back on the shelf" if wanted.restock else ""
            print(f"order {order.number}: {plan.amount_minor} {income.currency} of {income.payment_intent_id}")
            print(f"  for {pieces}{shelf}; the order is {order.payment}, {order.refunded_minor} were given back before")
            if not arguments.yes:
                print("Nothing was done. Add --yes to give the money back.")
                return
            made = await refunds.request(conn, order_id, wanted, arguments.actor)
        await _follow(pool, made, arguments.wait_s)


async def release_hold(settings: OpsSettings, arguments: argparse.Namespace) -> None:
    """Acknowledges the order's failed refunds, else its fraud warnings; any other hold ends only with its cause."""
    async with open_checkout(settings) as pool, pool.worker() as conn:
        order_id = await store.select_order_id(conn, arguments.order)
        order = await releasing.acknowledge(conn, order_id, arguments.actor, arguments.reason)
        print(f"order {order.number}: hold is now {order.hold}")


async def _follow(pool: Pool, made: Refund, wait_s: float) -> None:
    print(f"refund {made.id} is written down; waiting for Stripe's answer")
    until = time.monotonic() + wait_s
    while time.monotonic() < until:
        async with pool.worker() as conn:
            now = await refund_store.select_refund(conn, made.id)
        assert now is not None
        if now.state is not RefundState.REQUESTED:
            print(f"refund {made.id} is {now.state}" + (f": {now.failure_reason}" if now.failure_reason else ""))
            return
        await asyncio.sleep(LOOK_S)
    print("Stripe has not answered yet. checkout goes on asking; the order's timeline will tell.")


def _wanted(arguments: argparse.Namespace) -> RefundWanted:
    return RefundWanted(
        id=uuid7(),
        reason=arguments.reason,
        amount_minor=arguments.amount_minor,
        lines=pieces(arguments.line) if arguments.line else None,
        restock=arguments.restock,
        payment_intent_id=arguments.payment,
    )


def pieces(given: list[str]) -> dict[int, int]:
    """Position -> quantity. Raises Invalid."""
    lines: dict[int, int] = {}
    for text in given:
        position, _, quantity = text.partition(":")
        if not (position.isdecimal() and quantity.isdecimal()):
            raise Invalid(f"{text} is not POSITION:QUANTITY, such as 0:1; the first line is 0")
        lines[int(position)] = lines.get(int(position), 0) + int(quantity)
    return lines


def open_checkout(settings: OpsSettings) -> AbstractAsyncContextManager[Pool]:
    """The database, as checkout."""
    return open_pool(settings.database_url.get_secret_value(), "checkout", settings.role_prefix, 2)
