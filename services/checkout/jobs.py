"""What checkout does by itself. Each job does one batch and says how much it did."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from services.checkout.actions import balance, expiry, pursuing
from services.checkout.actions import resync as resyncing
from services.checkout.actions.orders import Till
from services.checkout.actions.reconciling import running
from services.checkout.actions.reconciling.running import Reconciler
from services.checkout.domain.reconciling import Difference
from services.checkout.settings import KEPT_S
from services.checkout.store import card_testing as guard_store
from services.checkout.store import keys as key_store
from services.checkout.store import orders as store
from services.checkout.store import payments as payment_store
from services.checkout.store import reconciliations
from services.checkout.store import reconciling as finding_store
from services.checkout.store import refunds as refund_store
from shared import inbox, metrics, outbox, stripe_circuit
from shared.admission import State
from shared.db import Pool
from shared.errors import AppError

log = logging.getLogger(__name__)

# Several orders at once, since each waits for Stripe; few enough to stay far below its limit of 25 a second.
BATCH = 8

# Between looks at a payment that fail each time: each is four of the reads that Stripe counts.
LONGEST_RESYNC_S = 900.0

# Longer than a client could still repeat a request, and than Stripe keeps our own keys.
KEEP_KEYS_DAYS = 30
# Longer than the 30 days that Stripe keeps events for.
KEEP_INBOX_DAYS = 45
KEEP_OUTBOX_DAYS = 7
# There are a few hundred a day at most, and each is a row.
KEEP_RUNS_DAYS = 90

Item = TypeVar("Item")


async def expire_unpaid(till: Till) -> int:
    """Ends the reservations whose time is over."""
    async with till.pool.worker() as conn:
        due = await store.claim_due_for_expiry(conn, till.settings.expiry_lease_s, BATCH)
    return await _each(due, lambda order_id: expiry.expire(till, order_id), "expire_unpaid")


async def resync(till: Till) -> int:
    """Looks at the payments that an event hinted at, or about which an event and an order disagreed."""
    async with till.pool.worker() as conn:
        due = await payment_store.claim_resyncs(conn, till.settings.expiry_lease_s, LONGEST_RESYNC_S, BATCH)
    return await _each(due, lambda wanted: resyncing.resync(till, wanted), "resync")


async def pursue_refunds(till: Till) -> int:
    """Asks Stripe for the refunds that were written down and have no known outcome."""
    async with till.pool.worker() as conn:
        due = await refund_store.claim_requested(conn, till.settings.attempt_lease_s, BATCH)
    return await _each(due, lambda pursued: pursuing.pursue(till, pursued), "pursue_refunds")


async def book_balance(till: Till) -> int:
    """Books what Stripe settled, when something told us to look or it is time again."""
    return await balance.book_new(till)


async def reconcile(reconciler: Reconciler) -> int:
    """Compares everything with Stripe, when it is time to and no other process does."""
    if not reconciler.stripe.account.is_well:
        return 0
    return await running.reconcile(reconciler)


FINDINGS = metrics.gauge(
    "checkout_reconciliation_findings", "What reconciliation found and a person has to look at, by kind.", ("kind",)
)
AGE = metrics.gauge(
    "checkout_reconciliation_age_seconds",
    "How long ago a comparison with Stripe came to its end, or the first one was begun.",
)


async def measure_reconciliation(pool: Pool) -> int:
    """Sets the gauges of reconciliation, in every process alike: all read the same rows."""
    async with pool.worker() as conn:
        counted = await finding_store.count_open_findings(conn)
        standing = await reconciliations.select_standing(conn)
    for kind in Difference:
        FINDINGS.labels(kind=kind.value).set(counted.get(kind, 0))
    begun = standing.last.finished_at if standing.last else standing.open and standing.open.started_at
    AGE.set((standing.now - begun).total_seconds() if begun else 0.0)
    return 0


async def watch_circuit(till: Till) -> int:
    """Tells when Stripe is left alone and when it is back; tries it by itself, so that no shopper has to."""
    account, settings = till.stripe.account, till.settings
    if account.breaker.state is State.HALF_OPEN:
        with contextlib.suppress(AppError):
            await till.stripe.probe()
    return await stripe_circuit.announce(till.pool, account, "checkout", settings.instance)


async def while_well(till: Till, job: Callable[[Till], Awaitable[int]]) -> int:
    """Rests while Stripe is left alone: what a job claims is leased, and would have to wait for that to end."""
    return await job(till) if till.stripe.account.is_well else 0


async def purge(till: Till) -> int:
    """Forgets what no repeat can ask for any more."""
    async with till.pool.worker() as conn:
        return (
            await key_store.delete_old_keys(conn, KEEP_KEYS_DAYS)
            + await inbox.purge(conn, KEEP_INBOX_DAYS)
            + await guard_store.delete_old(conn, timedelta(seconds=KEPT_S))
            + await outbox.purge(conn, KEEP_OUTBOX_DAYS)
            + await reconciliations.delete_old(conn, KEEP_RUNS_DAYS)
        )


async def _each(items: Sequence[Item], act: Callable[[Item], Awaitable[None]], job: str) -> int:
    """Acts on all at once. One that fails is left to its lease, and does not keep the others from their turn."""
    outcomes = await asyncio.gather(*(act(item) for item in items), return_exceptions=True)
    failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    for error in failed:
        if isinstance(error, AppError):
            log.warning("left for later", extra={"job": job, "reason": f"{type(error).__name__}: {error}"})
        else:
            log.error("failed, left for later", extra={"job": job}, exc_info=error)
    return len(items)
