"""The chaos run: `python -m tests.chaos`, behind `make chaos`.

Shoppers buy while every process, RabbitMQ and PostgreSQL are killed in turn and Stripe and the mail server
misbehave; then the faults stop, everything settles, and the books are compared. Settings: SECONDS, SEED, RATE.
"""

import asyncio
import os
import random
import secrets
import signal
import sys
import time

from deploy.demo import backing, failure
from deploy.demo.account import Account, on_stdout
from deploy.demo.backing import EX_CONFIG, Backing, NoBacking
from deploy.demo.keys import keys_from
from deploy.demo.programs import ROOT
from deploy.demo.stage import Options, Stage
from tests.chaos.outcome import Outcome, write
from tests.chaos.reconciling import reconcile
from tests.chaos.settling import settle
from tests.chaos.shoppers import Trickle, surprises
from tests.chaos.weather import Weather

RESERVATION_S = 25.0
SETTLE_WITHIN_S = 150.0

SETTINGS = {
    "CHECKOUT_RESERVATION_S": str(RESERVATION_S),
    "CHECKOUT_STRIPE_TIMEOUT_S": "2",
    "CHECKOUT_ATTEMPT_LEASE_S": "8",
    "CHECKOUT_ATTEMPT_WAIT_S": "3",
    "CHECKOUT_EXPIRY_LEASE_S": "8",
    # Whoever is declined here is so with one and the same card, and would be kept out with all others who have it.
    "CHECKOUT_CARD_TESTING_PER_CARD": "100000",
    # Some events are never delivered: before an order's time is over the backfill must have found them.
    "WEBHOOKS_BACKFILL_INTERVAL_S": "2",
    "WEBHOOKS_BACKFILL_IDLE_S": "3",
    "NOTIFIER_FAILURE_GRACE_S": "2",
    "NOTIFIER_UNKNOWN_RESEND_S": "3",
    "NOTIFIER_SMTP_TIMEOUT_S": "3",
    "NOTIFIER_CONVERSATION_S": "5",
    "NOTIFIER_LEASE_S": "8",
    "NOTIFIER_BACKOFF_S": "[1, 2, 4]",
}


def main() -> None:
    account = on_stdout()
    seconds = float(os.environ.get("SECONDS") or 120)
    seed = int(os.environ.get("SEED") or secrets.randbelow(10**6))
    rate = float(os.environ.get("RATE") or 4)
    account.title(f"Chaos for {seconds:g} s, {rate:g} shoppers a second, SEED={seed}")
    for name in ("DATABASE_URL", "AMQP_URL"):
        if os.environ.pop(name, None):
            account.detail(f"{name} is not used: only servers of our own are killed")
    try:
        with backing.start(account.detail, durable=True) as ground:
            outcome = asyncio.run(_run(account, ground, seed, (seconds, rate)))
    except NoBacking as error:
        account.complain(str(error))
        sys.exit(EX_CONFIG)
    except (KeyboardInterrupt, asyncio.CancelledError):
        account.say("Stopped; nothing was compared.")
        sys.exit(130)
    sys.exit(0 if outcome.is_well else 1)


async def _run(account: Account, ground: Backing, seed: int, load: tuple[float, float]) -> Outcome:
    running = asyncio.current_task()
    assert running is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    options = Options(keys_from({}), changes=SETTINGS)
    async with Stage(ground, options, account.detail) as stage:
        await stage.prepare()
        await stage.start()
        outcome = await _storm(account, stage, ground, (seed, *load))
        write(outcome, ROOT / "build/chaos.json")
        outcome.show(account)
        if not outcome.is_well:
            failure.keep(account, stage.logs, ROOT / "build/chaos-logs")
        return outcome


async def _storm(account: Account, stage: Stage, ground: Backing, settings: tuple[int, float, float]) -> Outcome:
    seed, seconds, rate = settings
    trickle = Trickle(stage.http, stage.addresses, rate, random.Random(seed))
    weather = Weather(stage, ground, random.Random(seed + 1), account.detail)
    began = time.monotonic()
    with account.step("storm", "Shoppers buy while everything breaks"):
        await asyncio.gather(trickle.run(seconds, RESERVATION_S), weather.run(seconds))
    with account.step("settling", "Everything begun comes to its end"):
        await weather.all_ready()
        left = await settle(stage, SETTLE_WITHIN_S)
        for what, number in left.items():
            account.complain(f"still open: {number} {what}")
    with account.step("books", "The books are compared"):
        findings = await reconcile(stage, trickle.memories)
        for what, number in left.items():
            findings.add("conflicts", f"still open: {number} {what}", number)
        for service, job in sorted(weather.ended_jobs):
            findings.add("conflicts", f"the job {job} of {service} does nothing since the broker was silent")
        for what, number in surprises(trickle.memories, trickle.answers).items():
            findings.add("conflicts", f"{number} times {what}", number)
    return await Outcome.of(stage, trickle, weather, findings, (seed, seconds, time.monotonic() - began))


if __name__ == "__main__":
    main()
