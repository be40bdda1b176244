"""`dead-letters` and `redrive`: what could not be handled, and another chance for it once the cause is mended."""

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator

from deploy.ops.settings import OpsSettings
from shared.bus import Bus, Options, open_bus
from shared.errors import Invalid, Unavailable
from shared.topology import QUEUES

CONNECT_S = 15.0


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The commands and their arguments."""
    command = commands.add_parser("dead-letters", help="how many messages each queue could not handle")
    command.set_defaults(run=show)
    command = commands.add_parser("redrive", help="put a queue's dead letters back into it")
    command.add_argument("queue", help="as `dead-letters` names it, for example notifier.on_order_paid")
    command.add_argument("--limit", type=int, default=1000, help="at most so many (default: 1000)")
    command.set_defaults(run=redrive)


async def show(settings: OpsSettings, _: argparse.Namespace) -> None:
    """Prints a line per queue that has dead letters."""
    async with _connected(settings) as bus:
        counts = await bus.dead_letters()
    for queue, count in counts.items():
        if count:
            print(f"{count:7}  {queue}")
    if not any(counts.values()):
        print("No queue has dead letters.")


async def redrive(settings: OpsSettings, arguments: argparse.Namespace) -> None:
    """Moves the dead letters of one queue back into it."""
    if arguments.queue not in QUEUES:
        raise Invalid(f"there is no queue {arguments.queue}; there are: {', '.join(QUEUES)}")
    async with _connected(settings) as bus:
        moved = await bus.redrive(arguments.queue, arguments.limit)
    print(f"{moved} messages put back into {arguments.queue}")


@contextlib.asynccontextmanager
async def _connected(settings: OpsSettings) -> AsyncIterator[Bus]:
    async with open_bus(settings.amqp_url.get_secret_value(), Options("ops")) as bus:
        try:
            await asyncio.wait_for(bus.wait_connected(), CONNECT_S)
        except TimeoutError:
            raise Unavailable("the message broker can't be reached; is OPS_AMQP_URL right?") from None
        yield bus
