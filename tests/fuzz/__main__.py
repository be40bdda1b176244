"""`make fuzz SECONDS=60 SEED=…`: breaks valid requests at random and sends them to the real process.

Every request is made from the seed and its number: a fault names both, and `--show` prints that request again.
"""

import argparse
import asyncio
import secrets
import sys
from collections.abc import Callable
from random import Random

from deploy.demo import backing
from deploy.demo.account import on_stdout
from deploy.demo.backing import EX_CONFIG, Backing, NoBacking
from deploy.demo.ground import own_broker, own_database
from shared import migrate
from tests.fuzz.fire import Outcome, fuzz
from tests.fuzz.mutations import hostile
from tests.fuzz.target import running

MOST_FAULTS_SHOWN = 20


def main() -> None:
    arguments = _arguments()
    if arguments.show is not None:
        sys.stdout.buffer.write(hostile(Random(f"{arguments.seed}/{arguments.show}"))[0])
        return
    account = on_stdout()
    account.title(f"Fuzzing Stripe's door for {arguments.seconds:g} s, seed {arguments.seed}")
    try:
        with backing.start(account.detail, durable=False) as ground:
            outcome = asyncio.run(_run(ground, arguments.seed, arguments.seconds, account.say))
    except NoBacking as error:
        account.complain(str(error))
        sys.exit(EX_CONFIG)
    account.say(outcome.says())
    for fault in outcome.faults[:MOST_FAULTS_SHOWN]:
        account.complain(fault)
    if outcome.faults:
        sys.exit(
            f"{len(outcome.faults)} faults; a request again: python -m tests.fuzz --seed {outcome.seed} --show NUMBER"
        )


async def _run(ground: Backing, seed: int, seconds: float, report: Callable[[str], None]) -> Outcome:
    async with own_database(ground, is_shared=True) as database, own_broker(ground, is_shared=True) as amqp_url:
        passwords = {f"{database.prefix}_{name}": value for name, value in database.passwords.items()}
        await migrate.migrate(database.owner_url, database.prefix, passwords)
        environment = {
            "WEBHOOKS_DATABASE_URL": database.url("webhooks"),
            "WEBHOOKS_AMQP_URL": amqp_url,
            "WEBHOOKS_ROLE_PREFIX": database.prefix,
        }
        async with running(environment, database.url("auditor")) as target:
            return await fuzz(target, seed, seconds, report)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--show", type=int, metavar="NUMBER", help="print one request of the seed instead")
    return parser.parse_args()


if __name__ == "__main__":
    main()
