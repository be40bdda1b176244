"""`rotate-webhook-secret`: takes a new signing secret of Stripe's in, while the old one still counts for a while.

The secret comes from standard input, never from the command line, which other users of the machine can read. The file
is written in place, for a file that is mounted into a container is followed by its inode; see `deploy.ops.safe_file`.
"""

import argparse
import asyncio
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deploy.ops.safe_file import changing
from deploy.ops.settings import OpsSettings
from services.webhooks.domain.secrets import (
    NAME,
    VALUE,
    SecretsMalformed,
    SigningSecret,
    parse,
    retired,
    rotated,
    usable,
    write,
)
from services.webhooks.store import secrets as store
from shared.audit import audit
from shared.db import Connection, Pool, open_pool
from shared.errors import Invalid

ACTOR = "ops rotate-webhook-secret"
# Stripe's own have 32 letters and digits behind the prefix; less than this is a piece of one.
SHORTEST = 24
# Stripe keeps signing with the old secret for at most a day after it was rolled.
LONGEST_OVERLAP = timedelta(hours=24)
SEEN_WITHIN_S = 15.0
_LEFT = re.compile(r"([0-9]{1,5})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def overlap(text: str) -> timedelta:
    """How long, from `24h`, `90m`, `30s` or `1d`; argparse tells of a ValueError."""
    match = _LEFT.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command and its arguments."""
    parser = commands.add_parser("rotate-webhook-secret", help="take in a new signing secret of Stripe's; see --help")
    parser.add_argument("--file", type=Path, required=True, help="the file behind WEBHOOKS_STRIPE_SECRETS_FILE")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--name", help="name of the new secret, such as 2026-11; the secret itself is read from stdin")
    what.add_argument("--retire", metavar="NAME", help="take a secret out at once")
    what.add_argument("--status", action="store_true", help="which secrets there are, and which of them are in use")
    parser.add_argument(
        "--old-until", type=overlap, default="24h", metavar="24h", help="how long the old ones still count"
    )
    parser.set_defaults(run=run)


async def run(settings: OpsSettings, arguments: argparse.Namespace) -> None:
    """Rotates, retires or shows."""
    async with open_pool(settings.webhooks_database(), "webhooks", settings.role_prefix, 2) as pool:
        try:
            if arguments.status:
                await _show(pool, parse(_text(arguments.file)))
            elif arguments.retire is not None:
                await _retire(pool, arguments.file, arguments.retire)
            else:
                await _rotate(pool, arguments)
        except SecretsMalformed as error:
            raise Invalid(f"{arguments.file}: {error}") from error


async def _rotate(pool: Pool, arguments: argparse.Namespace) -> None:
    now, left = datetime.now(UTC).replace(microsecond=0), arguments.old_until
    if not NAME.fullmatch(arguments.name) or arguments.name.startswith("whsec_"):
        raise Invalid("the name is not usable: letters, digits, `.`, `_` and `-`, at most 40")
    new = SigningSecret(arguments.name, await asyncio.to_thread(_read_secret))
    with changing(arguments.file, parse) as file:
        after = rotated(parse(file.text), new, now + left, now)
        async with pool.worker() as conn:
            await _record(conn, "rotate signing secret", new.name, after)
        file.write(write(after))
    print(f"{arguments.file} now begins with {new.name}; what was there before counts for another {left}.")
    print("The running services take it over within seconds; `--status` shows when all of them have.")
    print("If you have not yet: at Stripe, Developers > Webhooks > the endpoint > Roll secret, and let the old one")
    print(
        f"expire there after at most {min(left, LONGEST_OVERLAP)}. A secret that Stripe stops using early does no harm;"
    )
    print("one that Stripe uses for longer than we do has its events refused, and Stripe sends them again.")


async def _retire(pool: Pool, path: Path, name: str) -> None:
    now = datetime.now(UTC)
    with changing(path, parse) as file:
        after = retired(parse(file.text), name, now)
        async with pool.worker() as conn:
            await _record(conn, "retire signing secret", name, after)
        file.write(write(after))
    print(f"{name} is out of {path}; the running services refuse it within seconds. Left: {_names(after)}.")


async def _show(pool: Pool, secrets: tuple[SigningSecret, ...]) -> None:
    now = datetime.now(UTC)
    async with pool.worker() as conn:
        keyrings, uses = await store.select_keyrings(conn, SEEN_WITHIN_S), await store.select_uses(conn)
    for secret in secrets:
        until = f"until {secret.until:%Y-%m-%d %H:%M:%SZ}" if secret.until else "without end"
        state = until if secret.is_usable(now) else f"expired ({until})"
        requests, last = uses.get(secret.name, (0, None))
        used = f"last used {_ago(now - last)} ago, {requests} requests in all" if last else "never used"
        print(f"{secret.name:20} {state:28} {used}")
    wanted = [secret.name for secret in usable(secrets, now)]
    expired = {secret.name for secret in secrets} - set(wanted)  # held or not, they don't count
    for held in keyrings:
        has_all = [name for name in held.names if name not in expired] == wanted and held.problem is None
        verdict = "holds what the file says" if has_all else f"holds {', '.join(held.names)}"
        print(f"{held.instance:20} {verdict}{f'; the file: {held.problem}' if held.problem else ''}")
    if not keyrings:
        print(f"No running service was seen within the last {SEEN_WITHIN_S:.0f} seconds.")


async def _record(conn: Connection, action: str, name: str, after: tuple[SigningSecret, ...]) -> None:
    """Written before the file is: a change that nobody knows of would be worse than a record of one that failed."""
    details: dict[str, object] = {each.name: each.until.isoformat() if each.until else None for each in after}
    await audit(conn, actor=ACTOR, action=action, subject=f"signing secret {name}", details={"after": details})


def _read_secret() -> str:
    """One line of standard input. What is wrong with it is said without it."""
    if sys.stdin.isatty():
        print("Paste the signing secret (whsec_…) and press Enter:", file=sys.stderr)
    secret = sys.stdin.readline(1000).strip()
    if not VALUE.fullmatch(secret):
        raise Invalid("what came on standard input is no signing secret: those begin with whsec_")
    if len(secret) < SHORTEST:
        raise Invalid(f"what came on standard input is too short for a signing secret (under {SHORTEST} characters)")
    return secret


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} can't be read as text ({type(error).__name__})") from error


def _names(secrets: tuple[SigningSecret, ...]) -> str:
    return ", ".join(each.name for each in secrets)


def _ago(passed: timedelta) -> str:
    seconds = max(0, round(passed.total_seconds()))
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
