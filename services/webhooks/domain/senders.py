"""From which addresses Stripe sends: the list we ship, what counts as a list at all, and what a new one changes. Pure.

Stripe publishes the list as a JSON file and tells of changes seven days ahead. A copy that has gone stale refuses real
events, and a list that somebody else wrote lets in whom he likes; so a new one is only believed as far as it is
plausible, and an address that left it is still welcome for a while.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

# As published at https://stripe.com/files/ips/ips_webhooks.json.
SHIPPED_AS_OF = datetime(2026, 10, 1, tzinfo=UTC)
SHIPPED = frozenset(
    {
        "3.18.12.63",
        "3.69.109.8",
        "3.120.168.93",
        "3.130.192.231",
        "13.235.14.237",
        "13.235.122.149",
        "18.211.135.69",
        "35.154.171.200",
        "35.157.207.129",
        "52.15.183.38",
        "54.88.130.119",
        "54.88.130.237",
        "54.187.174.169",
        "54.187.205.235",
        "54.187.216.72",
    }
)

NAME = "WEBHOOKS"
LONGEST_LIST_BYTES = 64 * 1024
# There were 12 addresses, and are 15. A list of five times that is another list.
FEWEST, MOST = 5, 75
# One refresh may take away so much of the list; more is an accident or an attack, and a person's to judge.
MOST_LOST = 0.5


class ListRefused(Exception):
    """What was published is not believed; `reason` is one of a few words, for a label."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Known:
    """An address as it is kept. One with `removed_at` has left Stripe's list."""

    address: str
    removed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What a new list says differently. An address that comes back is among those added."""

    added: frozenset[str]
    removed: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


def read_list(body: bytes) -> frozenset[str]:
    """The addresses in a published file, in canonical form; raises ListRefused for anything that isn't such a list."""
    if len(body) > LONGEST_LIST_BYTES:
        raise ListRefused("malformed", f"longer than {LONGEST_LIST_BYTES} bytes")
    try:
        named = orjson.loads(body)[NAME]
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
        raise ListRefused("malformed", f"not a JSON object with {NAME}") from None
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
        raise ListRefused("malformed", f"{NAME} is not a list of addresses")
    if not FEWEST <= len(named) <= MOST:
        raise ListRefused("implausible", f"{len(named)} addresses, where {FEWEST} to {MOST} are plausible")
    return frozenset(map(_public, named))


def difference(known: Iterable[Known], listed: frozenset[str]) -> Changes:
    """What a list says that is not known, and the other way round."""
    before = {each.address for each in known if each.removed_at is None}
    return Changes(added=listed - before, removed=frozenset(before - listed))


def refuse_collapse(known: Iterable[Known], changes: Changes) -> None:
    """Raises ListRefused for a published list that takes away more than one refresh may."""
    before = sum(each.removed_at is None for each in known)
    if len(changes.removed) > MOST_LOST * before:
        raise ListRefused("implausible", f"{len(changes.removed)} of {before} addresses would go at once")


def welcome(known: Iterable[Known], now: datetime, grace: timedelta) -> frozenset[str]:
    """From where events are expected: what is listed, and what left the list less than `grace` ago.

    What we shipped, where nothing is known: a list never shrinks to nothing.
    """
    found = frozenset(each.address for each in known if each.removed_at is None or now - each.removed_at < grace)
    return found or SHIPPED


def is_newer(as_of: datetime | None) -> bool:
    """Whether the list we ship is newer than the one that is kept."""
    return as_of is None or as_of < SHIPPED_AS_OF


def _public(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ListRefused("malformed", "an entry is no address") from None
    if not address.is_global or address.is_multicast:
        raise ListRefused("implausible", f"{address} is no public address")
    return str(address)
