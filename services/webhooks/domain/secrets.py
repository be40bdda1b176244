"""Stripe's signing secrets as a person writes them down: named, and some only until a moment.

    2026-11 = whsec_…
    2026-05 = whsec_…; until=2026-11-26T12:00:00Z

Between two secrets stands a comma or the end of a line; what follows a `#` at the beginning of a line is a remark.
A plain list, `whsec_…, whsec_…`, is one too: those are named by their fingerprints. So is JSON:
`[{"name": "2026-11", "secret": "whsec_…", "until": "…"}, "whsec_…"]`.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
# Stripe says that its secrets begin so; anything else is some other key in the wrong place.
VALUE = re.compile(r"whsec_[A-Za-z0-9_+/=-]{1,250}")

# The first line of a file that we wrote says that its last line proves it whole: a half-written one can't be mistaken.
SEALED = "# sealed: the last line is the SHA-256 of all before it; to edit by hand, delete this line and the last one"
_SEAL = re.compile(r"# sha256 [0-9a-f]{64}")
MOST = 20


class SecretsMalformed(ValueError):
    """What should be a list of signing secrets is none; the message says where, and never quotes it."""


@dataclass(frozen=True, slots=True)
class SigningSecret:
    """`until` is when it stops to count; None: never."""

    name: str
    value: str = field(repr=False)
    until: datetime | None = None

    def is_usable(self, now: datetime) -> bool:
        return self.until is None or now < self.until


def parse(text: str) -> tuple[SigningSecret, ...]:
    """The secrets in a text, in their order; raises SecretsMalformed, also for none at all."""
    if text.lstrip().startswith("["):
        return _sound([_from_json(entry, place) for place, entry in enumerate(_json(text), 1)])
    lines = [line for line in _unsealed(text) if not line.lstrip().startswith("#")]
    parts = [part.strip() for line in lines if line.strip() for part in line.split(",")]
    return _sound([_from_text(part, place) for place, part in enumerate(parts, 1)])


def write(secrets: Iterable[SigningSecret]) -> str:
    """The text of a file with these secrets, sealed: `parse` refuses any part of it that is not the whole."""
    lines = [SEALED]
    for each in secrets:
        until = f"; until={each.until.isoformat(timespec='seconds')}" if each.until else ""
        lines.append(f"{each.name} = {each.value}{until}")
    text = "\n".join(lines) + "\n"
    return f"{text}# sha256 {hashlib.sha256(text.encode()).hexdigest()}\n"


def usable(secrets: Sequence[SigningSecret], now: datetime) -> tuple[SigningSecret, ...]:
    return tuple(each for each in secrets if each.is_usable(now))


def rotated(
    secrets: Sequence[SigningSecret], new: SigningSecret, old_until: datetime, now: datetime
) -> tuple[SigningSecret, ...]:
    """The new secret first, then the old ones, none of which counts for longer than `old_until`.

    What has expired is dropped. Raises SecretsMalformed when the name or the secret is there already.
    """
    kept = [
        SigningSecret(each.name, each.value, min(each.until, old_until) if each.until else old_until)
        for each in usable(secrets, now)
    ]
    return _sound([new, *kept])


def retired(secrets: Sequence[SigningSecret], name: str, now: datetime) -> tuple[SigningSecret, ...]:
    """All but that one; raises SecretsMalformed when it isn't there, or no usable one would be left."""
    kept = tuple(each for each in secrets if each.name != name)
    if len(kept) == len(secrets):
        raise SecretsMalformed(f"there is no secret {name}; there are: {', '.join(each.name for each in secrets)}")
    if not usable(kept, now):
        raise SecretsMalformed("no usable secret would be left, and every event would be refused; rotate first")
    return kept


def expiring(
    secrets: Sequence[SigningSecret], used: Mapping[str, datetime], now: datetime, within: timedelta
) -> tuple[SigningSecret, ...]:
    """Those that Stripe still signs with and that soon won't count: nobody rolled the secret at Stripe.

    In use is what verified an event in the last ten minutes, and what verified the latest one, however long ago.
    """
    latest = max(used.values(), default=now)
    in_use = {name for name, at in used.items() if at == latest or at > now - timedelta(minutes=10)}
    return tuple(
        each
        for each in usable(secrets, now)
        if each.name in in_use and each.until is not None and each.until - now <= within
    )


def until_from(text: object) -> datetime:
    """A moment with its time zone, in UTC; raises ValueError for anything else."""
    moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    if moment is None or moment.tzinfo is None:
        raise ValueError("no moment with a time zone")
    return moment.astimezone(UTC)


def _json(text: str) -> list[Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise SecretsMalformed("it begins like a JSON list and is none") from None
    return found if isinstance(found, list) else []


def _unsealed(text: str) -> list[str]:
    """The lines of a text; of a sealed one only if it is whole."""
    if not text.startswith(SEALED[:9]):
        return text.splitlines()
    body, _, last = text.rstrip("\n").rpartition("\n")
    digest = hashlib.sha256(f"{body}\n".encode()).hexdigest()
    if not _SEAL.fullmatch(last) or last != f"# sha256 {digest}":
        raise SecretsMalformed("it is sealed and not whole: half-written, or edited by hand without removing the seal")
    return body.splitlines()


def _from_json(entry: object, place: int) -> SigningSecret:
    if isinstance(entry, str):
        return _made(None, entry.strip(), None, place)
    if not isinstance(entry, dict) or not entry.keys() <= {"name", "secret", "until"}:
        raise SecretsMalformed(f"entry {place} is neither a text nor an object of name, secret and until")
    return _made(entry.get("name"), entry.get("secret"), entry.get("until"), place)


def _from_text(part: str, place: int) -> SigningSecret:
    secret, *more = (each.strip() for each in part.split(";"))
    if len(more) > 1 or (more and not more[0].startswith("until=")):
        raise SecretsMalformed(f"entry {place} has something else than `until=` behind its semicolon")
    until = more[0].removeprefix("until=") if more else None
    if secret.startswith("whsec_") or "=" not in secret:
        return _made(None, secret, until, place)
    name, _, value = secret.partition("=")
    return _made(name.strip(), value.strip(), until, place)


def _made(name: object, value: object, until: object, place: int) -> SigningSecret:
    if not isinstance(value, str) or not VALUE.fullmatch(value):
        blank = "is blank" if not value else "has no secret that begins with whsec_"
        raise SecretsMalformed(f"entry {place} {blank}")
    if name is None:
        name = f"unnamed-{hashlib.sha256(value.encode()).hexdigest()[:8]}"
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise SecretsMalformed(f"entry {place} has no usable name (letters, digits, `.`, `_`, `-`; at most 40)")
    try:
        return SigningSecret(name, value, None if until is None else until_from(until))
    except ValueError:
        raise SecretsMalformed(f"entry {place} has an `until` that is not like 2026-11-26T12:00:00Z") from None


def _sound(secrets: list[SigningSecret]) -> tuple[SigningSecret, ...]:
    if not secrets:
        raise SecretsMalformed("there is no secret in it")
    if len(secrets) > MOST:
        raise SecretsMalformed(f"there are more than {MOST} secrets in it")
    if len({each.name for each in secrets}) < len(secrets):
        raise SecretsMalformed("two secrets have the same name")
    if len({each.value for each in secrets}) < len(secrets):
        raise SecretsMalformed("the same secret stands in it twice")
    return tuple(secrets)
