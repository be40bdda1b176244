"""Runs the demo: sets everything up, walks through, shows where to look, and leaves nothing behind."""

import argparse
import asyncio
import fcntl
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager

from deploy.demo import backing, failure
from deploy.demo.account import Account, on_stdout
from deploy.demo.backing import EX_CONFIG, Backing, NoBacking
from deploy.demo.keys import StripeKeys, UnusableKeys, keys_from
from deploy.demo.programs import ROOT
from deploy.demo.stage import Options, Stage
from deploy.demo.walk import STEPS, Scene

BUILD = ROOT / "build"
DOCUMENT = BUILD / "demo.json"
LOCK = BUILD / "demo.lock"

#: With Stripe itself somebody has to forward its events to us, to an address known beforehand.
WEBHOOKS_PORT = 8082

EX_INTERRUPTED = 130


class Stopped(Exception):
    """A step of the setting up failed: nothing after it makes sense."""


class AlreadyRunning(Exception):
    """There is a demo of this checkout already; the message says where."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="exit with the result; the last line is one JSON object")
    arguments = parser.parse_args()
    account = on_stdout()
    code = 0
    try:
        with _only_one():
            _run(account, arguments.once)
    except (UnusableKeys, NoBacking, AlreadyRunning) as error:
        account.complain(str(error))
        code = EX_CONFIG
    except Stopped:
        code = 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        account.say("Stopped.")
        code = EX_INTERRUPTED if arguments.once else 0
    code = code or (1 if account.failed else 0)
    if arguments.once:
        steps = [step.document() for step in account.steps]
        result = {"ok": code == 0, "steps": steps, "seconds": account.seconds}
        print(json.dumps(result, separators=(",", ":")), flush=True)
    sys.exit(code)


@contextmanager
def _only_one() -> Iterator[None]:
    BUILD.mkdir(exist_ok=True)
    with open(LOCK, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                "A demo is running from this checkout already; build/demo.json says where. Stop it first."
            ) from None
        yield


def _run(account: Account, once: bool) -> None:
    keys = keys_from(os.environ)
    account.title("KCT Payments: the whole job on this machine")
    with ExitStack() as stack:
        with _setting_up(account, "backing", "PostgreSQL and RabbitMQ"):
            ground = stack.enter_context(backing.start(account.detail))
        asyncio.run(_on_stage(account, ground, keys, once))
        account.say("That was all; cleaning up.")


@contextmanager
def _setting_up(account: Account, name: str, title: str) -> Iterator[None]:
    try:
        with account.step(name, title):
            yield
    except (NoBacking, KeyboardInterrupt, asyncio.CancelledError):
        raise
    except Exception as error:
        account.complain(failure.words(error))
        raise Stopped from error


async def _on_stage(account: Account, ground: Backing, keys: StripeKeys, once: bool) -> None:
    _end_in_order(account)
    port = None if keys.is_standin else int(os.environ.get("DEMO_WEBHOOKS_PORT", WEBHOOKS_PORT))
    stage = Stage(ground, Options(keys, webhooks_port=port), lambda line: _note(account, stage, line))
    async with AsyncExitStack() as stack:
        with _setting_up(account, "migrate", "Database: roles, schemas, tables"):
            await stack.enter_async_context(stage)
            stack.callback(_keep_logs, account, stage)
            await stage.prepare()
        with _setting_up(account, "services", "The four services and their stand-ins"):
            await stage.start()
        stage.addresses.write(DOCUMENT, stage.supervisor.pids)
        stack.callback(DOCUMENT.unlink, missing_ok=True)
        await _walk(account, stage)
        if not once:
            await _stay(account, stage)


def _end_in_order(account: Account) -> None:
    """The first signal ends what runs and cleans up; another one changes nothing about that."""
    loop, running = asyncio.get_running_loop(), asyncio.current_task()
    assert running is not None

    def end() -> None:
        if running.cancelling():
            account.say("Already stopping; a moment.")
        else:
            account.say("Stopping; a moment.")
            running.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, end)


def _note(account: Account, stage: Stage, line: str) -> None:
    """A process came back: its pid is another one now."""
    account.detail(line)
    if DOCUMENT.exists():
        stage.addresses.write(DOCUMENT, stage.supervisor.pids)


def _keep_logs(account: Account, stage: Stage) -> None:
    if account.failed:
        failure.keep(account, stage.logs, BUILD / "demo-logs")


async def _walk(account: Account, stage: Stage) -> None:
    """Every step, also after one that failed: what else works is worth knowing."""
    account.say()
    account.title("A walk through the shop")
    if not stage.setup.keys.is_standin:
        account.detail(
            "This runs against Stripe itself, in test mode. Its events have to reach us; for example:\n"
            f"  stripe listen --forward-to {stage.addresses.webhook_address}\n"
            "whose signing secret has to be the one in STRIPE_WEBHOOK_SECRET."
        )
    scene = Scene(stage, account.detail)
    for step in STEPS:
        try:
            with account.step(step.name, step.title):
                await step.take(scene)
        except Exception as error:
            account.complain(failure.words(error))
            failure.show_tails(account, stage.logs, step.logs)


async def _stay(account: Account, stage: Stage) -> None:
    addresses = stage.addresses
    account.say()
    account.title("Where to look")
    account.addresses(
        {
            "Shop": addresses.storefront_url,
            "Monitor": addresses.dashboard_url,
            "Figures": f"{addresses.monitor_url}/metrics",
            "Mails": addresses.mail_url,
            "Slack": addresses.slack_url,
            "Stripe": addresses.stripe_url
            if stage.setup.keys.is_standin
            else "https://dashboard.stripe.com/test/payments",
            "Logs": str(stage.logs),
            "All of it": str(DOCUMENT),
        }
    )
    account.say()
    account.say("It stays up until Ctrl-C.")
    await asyncio.Event().wait()
