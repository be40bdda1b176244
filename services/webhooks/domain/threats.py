"""What is suspicious, how much of it is worth telling, and who is kept out for how long. Pure.

Each suspicious request is one sighting of a kind, from an address. Sightings are counted in windows of time, each
address by itself and all together, since a flood may come from thousands of addresses that each stay below any line.
A count that crosses the line of its kind is told once for its window, whatever follows: a flood of requests must not
become a flood of events.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Literal

Severity = Literal["info", "warning", "critical"]

# What stands for all addresses together, and for those of them that are too many to be named.
EVERYBODY = "*"
OTHERS = "…"


class Kind(StrEnum):
    BAD_SIGNATURE = "bad_signature"
    SCANNING = "scanning"
    UNREADABLE = "unreadable"
    REPLAY = "replay"
    UNKNOWN_SENDER = "unknown_sender"
    OTHER_MODE = "other_mode"


@dataclass(frozen=True, slots=True)
class Rule:
    """Where a kind's lines are drawn, in sightings per window.

    `share_from`: from so many on, a process tells the others; below, an address is not worth a row in the database.
    """

    severity: Severity
    tell_at: int
    tell_at_in_all: int
    severity_in_all: Severity
    is_banned_for: bool
    share_from: int

    def line(self, address: str) -> int:
        return self.tell_at_in_all if address == EVERYBODY else self.tell_at

    def weight(self, address: str) -> Severity:
        return self.severity_in_all if address == EVERYBODY else self.severity


# What is validly signed is never a reason for a ban: whoever holds the secret is not kept out by his address, and an
# attacker who replays what Stripe sent must not be able to have Stripe's path closed.
RULES: Mapping[Kind, Rule] = {
    Kind.BAD_SIGNATURE: Rule("warning", 10, 200, "critical", is_banned_for=True, share_from=3),
    # Every address on the internet is scanned every day: one scanner is worth a line, many at once a look.
    Kind.SCANNING: Rule("info", 20, 1000, "warning", is_banned_for=True, share_from=5),
    Kind.UNREADABLE: Rule("info", 20, 1000, "warning", is_banned_for=True, share_from=5),
    # A proxy that repeats a request makes one or two of these; ten in a window were made on purpose.
    Kind.REPLAY: Rule("warning", 10, 50, "critical", is_banned_for=False, share_from=1),
    # One is enough: either Stripe's list has changed and ours has not, or somebody else holds the secret.
    Kind.UNKNOWN_SENDER: Rule("critical", 1, 1_000_000, "critical", is_banned_for=False, share_from=1),
    Kind.OTHER_MODE: Rule("critical", 1, 1_000_000, "critical", is_banned_for=False, share_from=1),
}

# At most so many events of a kind and window name an address each; the next one speaks for all others.
MOST_TOLD = 20
LONGEST_BAN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Sightings:
    """How often something was seen from an address, or a network of them, in a window."""

    kind: Kind
    address: str
    count: int


class Tally:
    """One process's count of the window it is in. Bounded: of too many addresses the least recently seen goes."""

    def __init__(self, most_addresses: int = 10_000) -> None:
        self._most = most_addresses
        self._window = 0
        self._counts: OrderedDict[tuple[Kind, str], list[int]] = OrderedDict()  # in the window; not yet taken
        self.forgotten = 0

    def note(self, kind: Kind, address: str) -> None:
        """One sighting, also in the count of everybody."""
        for key in ((kind, address), (kind, EVERYBODY)):
            counts = self._counts.setdefault(key, [0, 0])
            counts[0] += 1
            counts[1] += 1
            self._counts.move_to_end(key)
        while len(self._counts) > self._most:
            self._counts.popitem(last=False)
            self.forgotten += 1

    def take(self, window: int) -> list[Sightings]:
        """What is new since the last time and worth telling the others. A new window begins from nothing.

        What was seen just before a window ends counts to the one in which it is taken: a second, not a request, is
        lost to precision.
        """
        taken = []
        for (kind, address), counts in self._counts.items():
            if counts[1] and counts[0] >= RULES[kind].share_from:
                taken.append(Sightings(kind, address, counts[1]))
                counts[1] = 0
        if window != self._window:
            self._window = window
            self._counts.clear()
        return taken

    def put_back(self, taken: list[Sightings]) -> None:
        """What could not be written is counted again with the next."""
        for each in taken:
            counts = self._counts.setdefault((each.kind, each.address), [0, 0])
            counts[0] = max(counts[0], each.count)
            counts[1] += each.count

    def __len__(self) -> int:
        return len(self._counts)


@dataclass(frozen=True, slots=True)
class Policy:
    """The shop's own numbers."""

    ban_after: int
    ban: timedelta
    window: timedelta


def window_of(now: float, policy: Policy) -> int:
    """The window that a moment (in seconds since 1970) belongs to, as the second in which it begins."""
    length = int(policy.window.total_seconds())
    return int(now) // length * length


def crosses(before: int, after: int, line: int) -> bool:
    """Whether a count passed a line just now: however many count at once, that is true for one of them."""
    return before < line <= after


def is_told(seen: Sightings, total: int) -> bool:
    """Whether the sightings that brought an address's count to `total` are the ones to tell of."""
    return crosses(total - seen.count, total, RULES[seen.kind].line(seen.address))


def is_banned(seen: Sightings, total: int, policy: Policy) -> bool:
    """Whether they are the ones that keep the address out from now on."""
    rule = RULES[seen.kind]
    if not rule.is_banned_for or seen.address == EVERYBODY:
        return False
    return crosses(total - seen.count, total, policy.ban_after)


def ban_length(bans_before: int, policy: Policy) -> timedelta:
    """Twice as long each time, up to a day."""
    return min(policy.ban * int(2 ** min(bans_before, 20)), LONGEST_BAN)


_WORDS: Mapping[Kind, str] = {
    Kind.BAD_SIGNATURE: "requests without a valid signature",
    Kind.SCANNING: "requests for paths or methods that don't exist",
    Kind.UNREADABLE: "requests that aren't HTTP",
    Kind.REPLAY: "validly signed requests that were sent before, word for word",
    Kind.UNKNOWN_SENDER: "validly signed requests from an address that isn't on Stripe's list",
    Kind.OTHER_MODE: "validly signed events of the other mode",
}


def sentence(kind: Kind, address: str, count: int, window: timedelta) -> str:
    """For people: what was seen, from where, in which time."""
    origin = {EVERYBODY: "all addresses together", OTHERS: "one of many more addresses"}.get(address, address)
    return f"{count} {_WORDS[kind]} from {origin} within {round(window.total_seconds() / 60)} minutes"
