"""The guard at the door: who is kept out, who has asked too often, and what of it is suspicious.

Requests only touch memory. What they leave behind is written by a job, in a few statements a second however many
requests there are, and judged there; what all processes know comes back by another.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from services.webhooks.actions import SERVICE
from services.webhooks.domain import threats
from services.webhooks.domain.senders import SHIPPED
from services.webhooks.domain.threats import EVERYBODY, Kind, Policy, Sightings, Tally
from services.webhooks.settings import WebhooksSettings
from services.webhooks.store import bans as store
from shared import metrics, outbox
from shared.db import Connection, Pool
from shared.errors import Forbidden, TooManyRequests
from shared.events import (
    SecurityAddressBanned,
    SecurityBadSignatures,
    SecurityEvent,
    SecurityLivemodeMismatch,
    SecurityReplays,
    SecurityScanning,
    SecurityUnknownSender,
)
from shared.settings import Network
from shared.web.address import UNKNOWN, household, is_in
from shared.web.limits import AddressLimit

log = logging.getLogger(__name__)

SIGHTINGS = metrics.counter("webhooks_sightings_total", "Suspicious requests, by kind.", ("kind",))
REFUSED = metrics.counter("webhooks_guard_refusals_total", "Requests that the guard refused, by reason.", ("reason",))
TOLD = metrics.counter("webhooks_threats_told_total", "Security events about suspicious requests, by kind.", ("kind",))
BANS = metrics.counter("webhooks_bans_total", "Addresses that this process banned, by kind of reason.", ("kind",))
BANNED = metrics.gauge("webhooks_banned_addresses", "Addresses and networks that are kept out right now.")
FORGOTTEN = metrics.gauge(
    "webhooks_sightings_forgotten", "Counts given up since the start because of too many addresses at once."
)

EVENTS: Mapping[Kind, type[SecurityEvent]] = {
    Kind.BAD_SIGNATURE: SecurityBadSignatures,
    Kind.SCANNING: SecurityScanning,
    Kind.UNREADABLE: SecurityScanning,
    Kind.REPLAY: SecurityReplays,
    Kind.UNKNOWN_SENDER: SecurityUnknownSender,
    Kind.OTHER_MODE: SecurityLivemodeMismatch,
}

# What bans are counted under, where it is counted what was told.
BAN = "ban"

KEEP_THREATS = timedelta(days=1)
KEEP_BANS = timedelta(days=7)


class AddressBanned(Forbidden):
    code = "address_banned"
    title = "Too many requests from this address were not Stripe's"


class SenderUnknown(Forbidden):
    code = "sender_unknown"
    title = "The signature is valid, but this address is not one of Stripe's"


@dataclass
class Guard:
    """What one process knows of who may come in. No I/O: every request asks it."""

    settings: WebhooksSettings
    welcome: frozenset[str] = SHIPPED
    tally: Tally = field(default_factory=Tally)
    _banned: dict[str, float] = field(default_factory=dict)  # by household, until when by the monotonic clock
    _own: tuple[Network, ...] = ()

    def __post_init__(self) -> None:
        settings = self.settings
        self._own = (*settings.internal_networks, *settings.trusted_networks, *settings.extra_senders)
        self._each = AddressLimit(settings.unverified_per_minute)
        self._all = AddressLimit(settings.unverified_in_all_per_minute, most_addresses=1)

    def note(self, kind: Kind, address: str) -> None:
        """Counts one suspicious request."""
        SIGHTINGS.labels(kind=kind.value).inc()
        self.tally.note(kind, address if kind is Kind.UNKNOWN_SENDER else household(address))

    def refuse_banned(self, address: str) -> None:
        """Raises AddressBanned, with the time until the ban ends."""
        if not self._banned:
            return
        rest_s = self._banned.get(household(address), 0.0) - time.monotonic()
        if rest_s > 0 and not self.is_exempt(address):
            REFUSED.labels(reason="banned").inc()
            raise AddressBanned("come back when the time in Retry-After is over", retry_after_s=rest_s)

    def refuse_stranger(self, kind: Kind, address: str) -> None:
        """For a request that is certainly not Stripe's: notes it, and raises when its sender has had enough of them.

        Raises AddressBanned or TooManyRequests. Stripe's own addresses are neither limited nor banned: what fails
        from there is a wrong secret of ours, and the answer has to say so.
        """
        self.note(kind, address)
        self.refuse_banned(address)
        if address in self.welcome:
            return
        for reason, limit, key in (("address", self._each, address), ("total", self._all, EVERYBODY)):
            wait_s = limit.wait_s(key)
            if wait_s > 0:
                REFUSED.labels(reason=reason).inc()
                raise TooManyRequests("too many requests that are not Stripe's", retry_after_s=wait_s)

    def admit_sender(self, address: str) -> None:
        """For a validly signed request. Raises SenderUnknown if only Stripe's addresses are let in."""
        settings = self.settings
        if settings.sender_mode == "off" or address in self.welcome or is_in(address, settings.extra_senders):
            return
        self.note(Kind.UNKNOWN_SENDER, address)
        if settings.sender_mode == "enforce":
            REFUSED.labels(reason="sender").inc()
            raise SenderUnknown(f"{address} is not on the list of Stripe's addresses")

    def is_exempt(self, address: str) -> bool:
        """Whether an address, or the network it stands for, is never banned."""
        plain = address.partition("/")[0]
        return plain == UNKNOWN or plain in self.welcome or is_in(plain, self._own)

    def learn_bans(self, rest_s: Mapping[str, float]) -> None:
        """What all processes know by now: who is kept out, and for how many seconds more."""
        now = time.monotonic()
        self._banned = {address: now + rest for address, rest in rest_s.items()}
        BANNED.set(len(rest_s))


async def share(pool: Pool, guard: Guard) -> int:
    """Writes what was seen since the last time, and judges the totals of all processes; answers how many counts.

    One transaction: an event is staged with the counts that make it true. What can't be written is kept for later.
    """
    policy = guard.settings.threat_policy()
    window = threats.window_of(time.time(), policy)
    seen = guard.tally.take(window)
    FORGOTTEN.set(guard.tally.forgotten)
    if not seen:
        return 0
    try:
        async with pool.worker() as conn:
            totals = await store.add_sightings(conn, window, seen)
            for each, total in zip(seen, totals, strict=True):
                await _judge(conn, guard, Case(each, total, window, policy))
    except BaseException:
        guard.tally.put_back(seen)
        raise
    return 0


async def learn(pool: Pool, guard: Guard) -> int:
    """Reads who is kept out."""
    async with pool.worker() as conn:
        guard.learn_bans(await store.select_bans(conn))
    return 0


async def forget(pool: Pool) -> int:
    """Deletes what is long over, in batches."""
    async with pool.worker() as conn:
        return await store.delete_old(conn, KEEP_THREATS, KEEP_BANS)


@dataclass(frozen=True, slots=True)
class Case:
    """Sightings, and what they bring the count of their window to."""

    seen: Sightings
    total: int
    window: int
    policy: Policy


async def _judge(conn: Connection, guard: Guard, case: Case) -> None:
    if threats.is_told(case.seen, case.total):
        await _tell(conn, case)
    if threats.is_banned(case.seen, case.total, case.policy) and not guard.is_exempt(case.seen.address):
        await _ban(conn, case)


async def _tell(conn: Connection, case: Case) -> None:
    """One event for this address and window; beyond a number of addresses, one for all the others."""
    kind, address = case.seen.kind, case.seen.address
    if await store.count_told(conn, case.window, kind) >= threats.MOST_TOLD and address != EVERYBODY:
        address = threats.OTHERS
    if not await store.mark_told(conn, case.window, kind, address):
        return
    rule, policy = threats.RULES[kind], case.policy
    detail = threats.sentence(kind, address, case.total, policy.window)
    named = None if address in (EVERYBODY, threats.OTHERS) else address
    severity = rule.weight(address)
    TOLD.labels(kind=kind.value).inc()
    log.warning("threat", extra={"kind": kind.value, "client_address": named, "count": case.total})
    event = EVENTS[kind](
        severity=severity,
        service=SERVICE,
        client_address=named,
        detail=detail,
        count=case.total,
        window_s=int(policy.window.total_seconds()),
    )
    await outbox.stage(conn, event)


async def _ban(conn: Connection, case: Case) -> None:
    seen = Sightings(case.seen.kind, case.seen.address, case.total)
    length = threats.ban_length(await store.count_bans(conn, seen.address), case.policy)
    await store.upsert_ban(conn, seen, length)
    BANS.labels(kind=seen.kind.value).inc()
    minutes = round(length.total_seconds() / 60)
    if await store.count_told(conn, case.window, BAN) >= threats.MOST_TOLD:
        return  # the bans are in their table; events and lines are for people to read
    log.warning("address banned", extra={"client_address": seen.address, "kind": seen.kind.value, "minutes": minutes})
    await store.mark_told(conn, case.window, BAN, seen.address)
    why = threats.sentence(seen.kind, seen.address, seen.count, case.policy.window)
    await outbox.stage(
        conn,
        SecurityAddressBanned(
            severity="info",
            service=SERVICE,
            client_address=seen.address,
            detail=f"{seen.address} is kept out for {minutes} minutes: {why}",
            count=seen.count,
            window_s=int(case.policy.window.total_seconds()),
        ),
    )


def note_outcome(guard: Guard, outcome: str | None, address: str) -> None:
    """What a stored request turned out to be."""
    kind = {"replayed": Kind.REPLAY, "other_mode": Kind.OTHER_MODE}.get(outcome or "")
    if kind is not None:
        guard.note(kind, address)
