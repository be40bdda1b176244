"""`dead-letters` and `redrive`: what could not be handled, and another chance for it once the cause is mended."""

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

from deploy.ops import actor
from deploy.ops.settings import OpsSettings
from shared.audit import audit
from shared.bus import Bus, Options, open_bus
from shared.db import open_pool
from shared.errors import Invalid, Unavailable
from shared.topology import QUEUES

CONNECT_S = 15.0


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The commands and their arguments."""
    command = commands.add_parser("dead-letters", help="how many messages each queue could not handle")
    command.set_defaults(run=show)
    command = commands.add_parser("redrive", help="put a queue's dead letters back into it")
    command.add_argument("queue", nargs="?", help="as `dead-letters` names it, for example notifier.on_order_paid")
    command.add_argument("--all", action="store_true", help="the dead letters of every queue")
    command.add_argument("--limit", type=int, default=1000, help="at most so many of a queue (default: 1000)")
    command.add_argument("--dry-run", action="store_true", help="show how many, and change nothing")
    command.add_argument("--yes", action="store_true", help="do it, with --all")
    actor.add_to(command)
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
    """Moves dead letters back into their queue: one queue's at once, those of all queues only with --yes."""
    if (arguments.queue is None) is not arguments.all:
        raise Invalid("name a queue, or say --all")
    if arguments.queue is not None and arguments.queue not in QUEUES:
        raise Invalid(f"there is no queue {arguments.queue}; there are: {', '.join(QUEUES)}")
    async with _connected(settings) as bus:
        counts = await bus.dead_letters()
        chosen = [arguments.queue] if arguments.queue else [queue for queue, count in counts.items() if count]
        if arguments.dry_run or (arguments.all and not arguments.yes):
            _preview({queue: counts[queue] for queue in chosen}, arguments.limit)
            return
        for queue in chosen:
            moved = await bus.redrive(queue, arguments.limit)
            print(f"{moved} messages put back into {queue}")
            await _record(settings, arguments, queue, moved)
    if not chosen:
        print("No queue has dead letters.")


def _preview(counts: Mapping[str, int], limit: int) -> None:
    for queue, count in counts.items():
        hears = QUEUES[queue]
        said = "every event" if isinstance(hears, str) else ", ".join(event.type for event in hears)
        print(f"{min(count, limit):7} of {count}  {queue} (hears {said})")
    print("Nothing was changed. Without --dry-run, and with --yes for all queues, they are put back.")


async def _record(settings: OpsSettings, arguments: argparse.Namespace, queue: str, moved: int) -> None:
    """After the fact: the broker's and the database's transactions are two."""
    url = settings.database_url.get_secret_value()
    async with open_pool(url, "checkout", settings.role_prefix, 1) as pool, pool.worker() as conn:
        details: dict[str, object] = {"messages": moved}
        reason = arguments.reason
        await audit(
            conn, actor=arguments.actor, action="redrive", subject=f"queue {queue}", reason=reason, details=details
        )


@contextlib.asynccontextmanager
async def _connected(settings: OpsSettings) -> AsyncIterator[Bus]:
    async with open_bus(settings.amqp_url.get_secret_value(), Options("ops")) as bus:
        try:
            await asyncio.wait_for(bus.wait_connected(), CONNECT_S)
        except TimeoutError:
            raise Unavailable("the message broker can't be reached; is OPS_AMQP_URL right?") from None
        yield bus
