"""What people ask of reconciliation: a run over a time of their choice, and that a finding be left alone."""

from datetime import datetime

from services.checkout.actions.reconciling.running import begin
from services.checkout.domain.reconciling import USUAL
from services.checkout.store import reconciliations
from services.checkout.store import reconciling as store
from services.checkout.store.reconciliations import Run
from shared.audit import audit
from shared.db import Connection
from shared.errors import Invalid, NotFound


async def plan(conn: Connection, since: datetime | None, reads: int | None) -> Run:
    """A run until now, not yet written down; without `since` it begins where the last one ended, with the overlap.

    Raises Invalid when it would begin in the future.
    """
    standing = await reconciliations.select_standing(conn)
    run = begin(standing.now, standing.covered_until, USUAL)
    if since is not None and since > standing.now:
        raise Invalid("that is in the future", field="since")
    run.since, run.budget = since or run.since, reads or run.budget
    return run


async def wish(conn: Connection, run: Run, actor: str, reason: str | None) -> None:
    """Writes a run down; checkout's leader begins with it as soon as none is under way."""
    run.wanted_by = actor
    await reconciliations.insert_run(conn, run, reason)
    details: dict[str, object] = {"run_id": str(run.id), "since": run.since.isoformat(), "reads": run.budget}
    await audit(conn, actor=actor, action="reconciliation.want", subject="stripe", reason=reason, details=details)


async def leave_alone(conn: Connection, object_id: str, actor: str, reason: str) -> list[str]:
    """A person has dealt with what was found about an object; it is raised again only when Stripe says something else.

    Raises NotFound, and Invalid without a reason.
    """
    if not reason.strip():
        raise Invalid("say what was done about it", field="reason")
    kinds = await store.settle_findings(conn, object_id, actor, reason=reason[:2000])
    if not kinds:
        raise NotFound(f"nothing is open about {object_id}; `reconcile` without arguments lists what is")
    details: dict[str, object] = {"kinds": kinds}
    subject = f"stripe {object_id}"
    await audit(conn, actor=actor, action="reconciliation.settle", subject=subject, reason=reason, details=details)
    return kinds
