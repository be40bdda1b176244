"""Tells of the circuit breaker before Stripe: an event in the outbox for each time that it opened or closed."""

import logging

from shared import outbox
from shared.admission import Change, State
from shared.db import Pool
from shared.events import StripeCircuitClosed, StripeCircuitEvent, StripeCircuitOpened
from shared.stripe_client import Account

log = logging.getLogger(__name__)


async def announce(pool: Pool, account: Account, service: str, instance: str) -> int:
    """Stages what happened since the last time; answers how much that was."""
    changes = tuple(account.breaker.changes)
    if not changes:
        return 0
    async with pool.worker() as conn:
        for change in changes:
            await outbox.stage(conn, _event(change, service, instance))
            log.warning("stripe circuit", extra={"state": change.state.name, "failures": change.failures})
    for _ in changes:
        account.breaker.changes.popleft()  # only now: without a database they wait
    return len(changes)


def _event(change: Change, service: str, instance: str) -> StripeCircuitEvent:
    if change.state is State.CLOSED:
        return StripeCircuitClosed(service=service, instance=instance)
    return StripeCircuitOpened(service=service, instance=instance, failures=change.failures)
