"""A turn of a run: what it may still read, what it counts, and how its transactions end."""

import contextlib
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from datetime import datetime

from services.checkout.domain.reconciling import Difference, Policy
from services.checkout.store import reconciliations
from services.checkout.store import reconciling as store
from services.checkout.store.reconciliations import Run
from services.checkout.store.reconciling import Finding
from services.checkout.stripe_api import Stripe, StripeRefused
from services.checkout.stripe_lists import Listed, Page, Span
from shared.audit import audit
from shared.db import Connection, Pool
from shared.metrics import counter

ACTOR = "system/reconciliation"

OBJECTS = counter("checkout_reconciliation_objects_total", "What was compared with Stripe.", ("found", "outcome"))
READS = counter("checkout_reconciliation_reads_total", "What reconciliation read from Stripe.")


class BudgetSpent(Exception):
    """The reads of this turn are spent; the next one goes on from here."""


class Deposed(Exception):
    """Another process leads now: what this one was about to write is not written."""


class _Undone(Exception):
    """A dry run's way out of a transaction."""


@dataclass(frozen=True, slots=True)
class Act:
    """What was done, or would be. `number` is the order's, if there is one."""

    kind: str
    object_id: str
    number: str | None
    outcome: str  # repaired, raised, settled


@dataclass
class Session:
    """With what a run works. A dry run does everything in transactions that are undone."""

    pool: Pool
    stripe: Stripe
    policy: Policy
    run: Run
    now: datetime  # the database's clock when the turn began
    fence: int = 0
    is_dry: bool = False
    used: int = 0
    acts: list[Act] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)  # what a dry run can't write down
    examined: set[str] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        with contextlib.suppress(_Undone):
            async with self.pool.worker() as conn:
                yield conn
                if self.is_dry:
                    raise _Undone

    def pay(self, reads: int) -> None:
        """Before they are made: a crash in between costs reads, not the limit. Raises BudgetSpent."""
        if self.used + reads > self.run.budget:
            raise BudgetSpent
        self.used += reads
        self.run.reads += reads
        READS.inc(reads)

    async def page(self, of: Listed) -> Page:
        """The page of the list that the run has come to."""
        self.pay(1)
        try:
            return await self.stripe.list_page(of, Span(self.run.since, self.run.until), self.run.cursor)
        except StripeRefused as error:
            if not error.is_missing or self.run.cursor is None:
                raise
            self.run.cursor = None  # what it stood on is gone: from the newest on again
            return await self.page(of)

    async def advance(self, stage: str, cursor: str | None) -> None:
        """Writes down how far the run has come. Raises Deposed."""
        self.run.stage, self.run.cursor = stage, cursor
        if not self.is_dry:
            async with self.pool.worker() as conn:
                if not await reconciliations.update_progress(conn, self.run, self.fence):
                    raise Deposed

    async def raise_finding(self, conn: Connection, finding: Finding, number: str | None) -> bool:
        """Puts it before people. False when they know it already."""
        await store.settle_findings(conn, finding.object_id, ACTOR, but=finding.kind)
        if not await store.upsert_finding(conn, finding, self.run.id):
            return False
        self._count("raised", Act(finding.kind, finding.object_id, number, "raised"))
        subject = f"order {finding.order_id}" if finding.order_id else f"stripe {finding.object_id}"
        details: dict[str, object] = {"object": finding.object_id, "kind": finding.kind}
        action = "reconciliation.raise"
        await audit(conn, actor=ACTOR, action=action, subject=subject, reason=finding.detail, details=details)
        return True

    async def settle(self, conn: Connection, object_id: str, number: str | None = None) -> None:
        """What was raised about an object is so no longer."""
        for kind in await store.settle_findings(conn, object_id, ACTOR):
            self.acts.append(Act(kind, object_id, number, "settled"))
            subject, details = f"stripe {object_id}", {"kind": kind}
            await audit(conn, actor=ACTOR, action="reconciliation.settle", subject=subject, details={**details})

    def repaired(self, kind: str, object_id: str, number: str | None) -> None:
        self._count("repaired", Act(kind, object_id, number, "repaired"))

    def looked(self, number: int) -> None:
        """Counts what was compared."""
        name = f"{self._tally}_looked"
        setattr(self.run, name, getattr(self.run, name) + number)

    def not_yet(self, payment_intent_ids: Collection[str]) -> list[str]:
        """Those that this turn has not examined, in order."""
        return sorted(set(payment_intent_ids) - self.examined)

    @property
    def _tally(self) -> str:
        """Which pass counts it."""
        return "balance" if self.run.stage == "balance" else "objects"

    def _count(self, outcome: str, act: Act) -> None:
        self.acts.append(act)
        for name in (f"{self._tally}_found", f"{self._tally}_{outcome}"):
            setattr(self.run, name, getattr(self.run, name) + 1)
        if not self.is_dry:
            OBJECTS.labels(found=act.kind, outcome=outcome).inc()


def is_for_people(difference: Difference) -> Difference:
    """What remains once events' way was gone: that it is behind explains nothing any more."""
    explains = {Difference.AMOUNT_DIFFERS, Difference.CONTRADICTS}
    return difference if difference in explains else Difference.CONTRADICTS
