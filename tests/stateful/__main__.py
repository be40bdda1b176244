"""`make stateful EXAMPLES=500 STEPS=60 SEED=…`: the machine for as long as you like, other runs with each seed.

What it finds it shortens, and prints as the steps that lead there; the same numbers find it again (`--as-found` shows
it at once, as long as it is). Figures go to build/stateful.json.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import secrets
import sys
import time
from collections.abc import Iterator

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import get_state_machine_test

from deploy.demo import backing
from deploy.demo.account import on_stdout
from deploy.demo.backing import EX_CONFIG, Backing, NoBacking
from deploy.demo.ground import own_database
from deploy.demo.programs import ROOT
from shared import migrate
from tests.stateful.machine import Orders
from tests.stateful.truths import check_worth
from tests.stateful.world import World, a_world

OUT = ROOT / "build/stateful.json"


def main() -> None:
    arguments = _arguments()
    account = on_stdout()
    title = f"Orders under everything at once: {arguments.examples} runs of up to {arguments.steps} steps"
    account.title(f"{title}, seed {arguments.seed}")
    began = time.monotonic()
    try:
        with backing.start(account.detail, durable=False) as ground, _world(ground) as world:
            _drive(world, arguments)
    except NoBacking as error:
        account.complain(str(error))
        sys.exit(EX_CONFIG)
    found = {"seconds": round(time.monotonic() - began), "seed": arguments.seed, **dict(sorted(Orders.counts.items()))}
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    account.say(json.dumps(found, indent=2))
    check_worth(Orders.counts, arguments.examples)


@contextlib.contextmanager
def _world(ground: Backing) -> Iterator[World]:
    logging.disable(logging.WARNING)  # the weather is bad on purpose
    with asyncio.Runner() as runner, contextlib.ExitStack() as stack:
        database = own_database(ground, is_shared=True)
        made = runner.run(database.__aenter__())
        stack.callback(lambda: runner.run(database.__aexit__(None, None, None)))
        passwords = {f"{made.prefix}_{name}": value for name, value in made.passwords.items()}
        runner.run(migrate.migrate(made.owner_url, made.prefix, passwords))
        with a_world(made) as world:
            yield world


def _drive(world: World, arguments: argparse.Namespace) -> None:
    longer = settings(
        max_examples=arguments.examples,
        stateful_step_count=arguments.steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate] if arguments.as_found else [Phase.generate, Phase.shrink],
        print_blob=False,
    )
    seed(arguments.seed)(get_state_machine_test(lambda: Orders(world), settings=longer))()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.stateful", description=__doc__)
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--as-found", action="store_true", help="show what fails at once, without shortening it")
    return parser.parse_args()


if __name__ == "__main__":
    main()
