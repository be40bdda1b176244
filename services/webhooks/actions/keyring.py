"""The signing secrets that this process holds, as they change while it runs: taken over from their file, and expiring.

A file is read whole at every look. What it says counts once two looks in a row found the same, so that a hand that is
still writing does no harm; what can't be read, is empty, malformed or expired changes nothing but `problem`.
"""

import asyncio
import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.webhooks.actions import SERVICE
from services.webhooks.domain.secrets import SecretsMalformed, SigningSecret, expiring, parse, usable
from services.webhooks.store import secrets as store
from shared import metrics, outbox
from shared.db import Connection, Pool
from shared.errors import Unavailable
from shared.events import SecuritySecretExpiring

log = logging.getLogger(__name__)

VERIFIED = metrics.counter(
    "webhooks_signatures_verified_total", "Requests shown to be Stripe's, by the name of the secret.", ("secret",)
)
USABLE = metrics.gauge("webhooks_signing_secrets_usable", "Signing secrets that have not expired.")
NONE_USABLE = metrics.gauge("webhooks_signing_secrets_missing", "1 while there is no usable secret: all is refused.")
FILE_PROBLEM = metrics.gauge(
    "webhooks_signing_secrets_file_problem", "1 while the file of secrets can't be taken over; what was held counts on."
)
TAKEOVERS = metrics.counter(
    "webhooks_signing_secrets_takeovers_total", "Changed files of secrets, by what became of them.", ("outcome",)
)
EXPIRING = metrics.gauge(
    "webhooks_signing_secret_expiring_seconds", "Until a secret that Stripe still signs with expires here.", ("secret",)
)

LONGEST_FILE = 64 * 1024


class NoUsableSecret(Unavailable):
    """All secrets have expired: nothing can be shown to be Stripe's, and whoever asks is not to blame."""

    code = "no_usable_secret"
    title = "No signing secret is valid any more; an operator has to rotate them"


@dataclass(slots=True)
class Uses:
    """What a secret verified since this was last written down."""

    counts: Counter[str] = field(default_factory=Counter)
    last: dict[str, datetime] = field(default_factory=dict)


class Keyring:
    """What one process holds."""

    def __init__(self, secrets: tuple[SigningSecret, ...], file: Path | None = None) -> None:
        self.secrets = secrets
        self.file = file
        self.problem: str | None = None
        self.taken_at = datetime.now(UTC)
        self.uses = Uses()
        self._usable: tuple[SigningSecret, ...] = ()
        self._good_until = 0.0
        self._seen: str | None = None
        self.sort(time.time())

    @property
    def has_usable(self) -> bool:
        self.sort(time.time())
        return bool(self._usable)

    def usable(self, now: float) -> tuple[SigningSecret, ...]:
        """What counts at that moment (seconds since 1970), the newest first; raises NoUsableSecret for none."""
        if now >= self._good_until:
            self.sort(now)
        if not self._usable:
            raise NoUsableSecret
        return self._usable

    def note_use(self, name: str) -> None:
        VERIFIED.labels(secret=name).inc()
        self.uses.counts[name] += 1
        self.uses.last[name] = datetime.now(UTC)

    def sort(self, now: float) -> None:
        """Lets go of what has expired, and says so once."""
        before, moment = self._usable, datetime.fromtimestamp(now, UTC)
        self._usable = usable(self.secrets, moment)
        self._good_until = min((each.until.timestamp() for each in self._usable if each.until), default=float("inf"))
        for gone in set(before) - set(self._usable):
            log.warning("signing secret no longer counts", extra={"secret_name": gone.name})
        if before and not self._usable:
            log.error("no usable signing secret", extra={"reason": "all have expired; every event is refused"})
        USABLE.set(len(self._usable))
        NONE_USABLE.set(not self._usable)

    def take(self, secrets: tuple[SigningSecret, ...]) -> None:
        """Holds these from now on."""
        self.problem = None
        FILE_PROBLEM.set(0)
        if secrets == self.secrets:
            return
        self.secrets, self.taken_at = secrets, datetime.now(UTC)
        TAKEOVERS.labels(outcome="taken").inc()
        log.info("signing secrets taken over", extra={"secret_names": [each.name for each in secrets]})
        self.sort(time.time())

    def keep(self, problem: str) -> None:
        """Goes on with what it holds, and says why, once."""
        if problem != self.problem:
            TAKEOVERS.labels(outcome="refused").inc()
            log.error("signing secrets not taken over", extra={"path": str(self.file), "reason": problem})
        self.problem = problem
        FILE_PROBLEM.set(1)

    def is_settled(self, said: str) -> bool:
        """Whether the file says the same as at the last look."""
        settled, self._seen = said == self._seen, said
        return settled


async def look(keyring: Keyring) -> int:
    """Job: takes a changed file over, and lets go of what has expired."""
    keyring.sort(time.time())
    if keyring.file is None:
        return 0
    try:
        text = await asyncio.to_thread(_read, keyring.file)
        if keyring.is_settled(text):
            keyring.take(_counting(parse(text)))
    except (OSError, UnicodeDecodeError, SecretsMalformed) as error:
        problem = str(error) if isinstance(error, SecretsMalformed) else f"can't be read ({type(error).__name__})"
        if isinstance(error, SecretsMalformed) or keyring.is_settled(problem):
            keyring.keep(problem)
    return 0


def _read(file: Path) -> str:
    with file.open("rb") as opened:
        content = opened.read(LONGEST_FILE + 1)
    if len(content) > LONGEST_FILE:
        raise SecretsMalformed(f"it is longer than {LONGEST_FILE} bytes")
    return content.decode("utf-8")


def _counting(secrets: tuple[SigningSecret, ...]) -> tuple[SigningSecret, ...]:
    if not usable(secrets, datetime.now(UTC)):
        raise SecretsMalformed("all of its secrets have expired")
    return secrets


async def note_secrets(pool: Pool, keyring: Keyring, instance: str, warning: timedelta) -> int:
    """Job: writes down what this process holds and which secrets verified, and warns of one that is in use and expires.

    What was used is known to all processes together: the old secret is out of use only when none of them needs it.
    """
    uses, keyring.uses = keyring.uses, Uses()
    try:
        async with pool.worker() as conn:
            await store.upsert_keyring(conn, _held(keyring, instance))
            await store.add_uses(conn, uses.counts, uses.last)
            used = await store.select_last_uses(conn)
            found = expiring(keyring.secrets, used, datetime.now(UTC), warning)
            for secret in found:
                await _warn(conn, secret)
    except BaseException:
        keyring.uses.counts.update(uses.counts)
        keyring.uses.last = {**uses.last, **keyring.uses.last}
        raise
    _measure(found)
    return 0


def _held(keyring: Keyring, instance: str) -> store.Held:
    return store.Held(
        instance=instance[:200],
        names=[each.name for each in keyring.secrets],
        untils=[each.until for each in keyring.secrets],
        taken_at=keyring.taken_at,
        problem=keyring.problem,
    )


async def _warn(conn: Connection, secret: SigningSecret) -> None:
    """Once for each secret and moment, whichever process is first."""
    assert secret.until is not None
    if await store.claim_warning(conn, secret.name, secret.until):
        detail = f"signing secret {secret.name} expires at {secret.until.isoformat()} and Stripe still signs with it"
        await outbox.stage(conn, SecuritySecretExpiring(severity="info", service=SERVICE, detail=detail))
        log.warning("signing secret expires soon", extra={"secret_name": secret.name, "until": str(secret.until)})


def _measure(found: tuple[SigningSecret, ...]) -> None:
    EXPIRING.clear()
    now = datetime.now(UTC)
    for secret in found:
        if secret.until is not None:
            EXPIRING.labels(secret=secret.name).set(max(0.0, (secret.until - now).total_seconds()))
