"""When a run is due, who does it, and how it goes from stage to stage."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from services.checkout.actions.reconciling import books, objects
from services.checkout.actions.reconciling.session import BudgetSpent, Deposed, Session
from services.checkout.domain.reconciling import Policy, next_interval_s, since
from services.checkout.store import reconciliations as store
from services.checkout.store import reconciling as finding_store
from services.checkout.store.reconciliations import Run, Standing
from services.checkout.stripe_api import OutcomeUnknown, Stripe, StripeBusy, StripeRefused
from shared import outbox
from shared.db import Pool
from shared.events import ReconciliationBegan, ReconciliationFinished
from shared.ids import uuid7
from shared.leader import Candidate
from shared.metrics import counter

log = logging.getLogger(__name__)

RUNS = counter("checkout_reconciliations_total", "Comparisons with Stripe, by how their turns ended.", ("outcome",))

Step = Callable[[Session], Awaitable[str | None]]

STEPS: dict[str, Step] = {
    "intents": objects.intents,
    "refunds": objects.refunds,
    "disputes": objects.disputes,
    "unseen": objects.unseen,
    "stuck": objects.stuck,
    "findings": objects.findings,
    "balance": books.balance,
}
STAGES = ("events", *STEPS, "done")

SHORTEST_REST_S, LONGEST_REST_S = 10.0, 900.0


@dataclass(frozen=True, slots=True)
class Reconciler:
    """What the job works with."""

    pool: Pool
    stripe: Stripe
    policy: Policy
    candidate: Candidate


async def reconcile(reconciler: Reconciler) -> int:
    """One turn of the run that is due, if we lead; answers 1 when it came to its end."""
    fence = await reconciler.candidate.fence()
    if fence is None:
        return 0
    async with reconciler.pool.worker() as conn:
        standing = await store.select_standing(conn)
        run = _due(standing, reconciler.policy)
        if run is None:
            return 0
        if standing.open is None:
            await store.insert_run(conn, run)
    session = Session(reconciler.pool, reconciler.stripe, reconciler.policy, run, standing.now, fence)
    try:
        return await _take_turn(session)
    except Deposed:
        log.warning("another process leads the reconciliation", extra={"fence": fence})
        reconciler.candidate.give_up()
        return 0


def _due(standing: Standing, policy: Policy) -> Run | None:
    if standing.open is not None:
        return standing.open if standing.may_go_on else None
    last = standing.last
    if last is not None and last.finished_at is not None:
        waited_s = (standing.now - last.finished_at).total_seconds()
        if waited_s < last.interval_s:
            return None
    return begin(standing.now, standing.covered_until, policy)


def begin(now: datetime, previous_until: datetime | None, policy: Policy) -> Run:
    """A new run, not yet written down."""
    return Run(uuid7(), since(previous_until, now, policy.first, policy.overlap), now, policy.reads)


async def _take_turn(session: Session) -> int:
    try:
        if not await _start(session):
            return 0
        await walk(session)
    except BudgetSpent:
        # Whatever is left is more than usual: the next turn comes as soon as after a run that found something.
        await _rest(session, "the reads of a turn are spent", session.policy.interval_s, failures=0)
        return 0
    except (StripeBusy, OutcomeUnknown, StripeRefused) as error:
        failures = session.run.failures + 1
        rest_s = min(SHORTEST_REST_S * 2.0 ** min(failures - 1, 30), LONGEST_REST_S)
        await _rest(session, f"{type(error).__name__}: {error}", rest_s, failures)
        return 0
    except Deposed:
        raise
    except Exception as error:  # ours to mend, and not to be repeated all the time until it is
        await _rest(session, type(error).__name__, LONGEST_REST_S, session.run.failures + 1)
        raise
    await _finish(session)
    return 1


async def _start(session: Session) -> bool:
    """Asks webhooks for what was not delivered, and waits a while for its answer; true when the objects' turn comes."""
    run, fence = session.run, session.fence
    if run.stage == "events" and run.turns:
        is_waiting = run.started_at is None or session.now - run.started_at < session.policy.answer
        if run.events_answered_at is None and is_waiting:
            return False
    async with session.pool.worker() as conn:
        if not await store.update_turn(conn, run, fence):
            raise Deposed
        if run.turns == 1:
            await finding_store.delete_seen(conn)
            if session.policy.answer:
                await outbox.stage(conn, ReconciliationBegan(run_id=run.id))
                return False
    if run.stage == "events":
        await session.advance(STAGES[1], None)
    return True


async def walk(session: Session, say: Callable[[Run], None] = lambda _: None) -> None:
    """From where the run is to its end. Raises BudgetSpent, Deposed, and what `stripe_api` raises for reads."""
    run = session.run
    while run.stage != STAGES[-1]:
        stage = run.stage
        say(run)
        cursor = await STEPS[stage](session)
        following = stage if cursor is not None else STAGES[STAGES.index(stage) + 1]
        if following == STAGES[-1]:
            return
        await session.advance(following, cursor)


async def _rest(session: Session, why: str, rest_s: float, failures: int) -> None:
    session.run.failures = failures
    RUNS.labels(outcome="rested").inc()
    log.warning("reconciliation rests", extra={"reason": why, "seconds": rest_s, "stage": session.run.stage})
    async with session.pool.worker() as conn:
        if not await store.update_progress(conn, session.run, session.fence):
            raise Deposed
        await store.update_resting(conn, session.run, session.fence, why, rest_s)


async def _finish(session: Session) -> None:
    run, policy = session.run, session.policy
    async with session.pool.worker() as conn:
        previous = (await store.select_standing(conn)).last
        interval_s = next_interval_s(
            previous.interval_s if previous else 0.0, run.found, policy.interval_s, policy.idle_s
        )
        is_leader = await store.update_progress(conn, run, session.fence)
        if not is_leader or not await store.update_finished(conn, run, session.fence, interval_s):
            raise Deposed
        await finding_store.delete_seen(conn)
        repaired = run.objects_repaired + run.balance_repaired
        raised = run.objects_raised + run.balance_raised
        if repaired or raised:
            await outbox.stage(conn, ReconciliationFinished(run_id=run.id, repaired=repaired, raised=raised))
    RUNS.labels(outcome="finished").inc()
    extra = {"run_id": str(run.id), "repaired": repaired, "raised": raised, "reads": run.reads, "next_s": interval_s}
    log.info("compared with Stripe", extra=extra)
