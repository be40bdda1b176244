"""Reading from Stripe within the budget."""

from dataclasses import dataclass

from services.webhooks.domain import Expected
from services.webhooks.store import reads
from services.webhooks.store.reads import Budget
from services.webhooks.stripe_api import Stripe
from shared.db import Pool

# What jobs that may wait leave in the budget for people who ask for something.
RESERVE_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Reader:
    """With what is read, what is taken for ours, and how many reads a day there may be, by all processes together."""

    pool: Pool
    stripe: Stripe
    expected: Expected
    per_day: int


class BudgetSpent(Exception):
    """The reads of a day are spent; more flow in all the time."""

    def __init__(self) -> None:
        super().__init__("the budget of reads is spent")


async def spend(reader: Reader, *, is_urgent: bool) -> None:
    """Pays for one read, before it is made: a crash in between costs a read, not the limit.

    Raises BudgetSpent, and StripeAway, for nothing, while Stripe is left alone.
    """
    reader.stripe.require_circuit()
    budget = Budget(reader.per_day, 0.0 if is_urgent else RESERVE_SHARE * reader.per_day)
    async with reader.pool.worker() as conn:
        if not await reads.take(conn, budget):
            raise BudgetSpent
