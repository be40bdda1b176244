"""Disputes: what Stripe's status means for the order. The status counts, never the name of the event that told."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.checkout.domain.states import DisputeState

# https://docs.stripe.com/api/disputes/object: all ten statuses. "Funds reinstated" is an event and not one of them.
STATES: Mapping[str, DisputeState] = {
    "warning_needs_response": DisputeState.INQUIRY,
    "warning_under_review": DisputeState.INQUIRY,
    "warning_closed": DisputeState.CLOSED,
    "needs_response": DisputeState.OPEN,
    "under_review": DisputeState.OPEN,
    "won": DisputeState.WON,
    "lost": DisputeState.LOST,
    "prevented": DisputeState.CLOSED,
    "appeal_needs_response": DisputeState.OPEN,
    "appeal_under_review": DisputeState.OPEN,
}
_FINAL = frozenset({"won", "lost", "prevented"})
# The only way out of "lost": the shop appealed (network permitting), and says so in the status itself.
_APPEALS = frozenset({"appeal_needs_response", "appeal_under_review"})

# The first that any of an order's disputes is in, is what the order shows.
_GRAVEST_FIRST = (
    DisputeState.OPEN,
    DisputeState.LOST,
    DisputeState.INQUIRY,
    DisputeState.WON,
    DisputeState.CLOSED,
)


@dataclass(frozen=True, slots=True)
class Dispute:
    """A dispute as Stripe shows it now. `evidence_due_at` is None when no answer is possible."""

    id: str
    payment_intent_id: str
    charge_id: str | None
    status: str
    reason: str
    amount_minor: int
    currency: str
    is_charge_refundable: bool
    evidence_due_at: datetime | None
    opened_at: datetime


def is_news(known: str | None, told: str) -> bool:
    """Whether a status may follow another: a view that was fetched earlier and comes late changes nothing final."""
    if known is None:
        return True
    if known == "lost" and told in _APPEALS:
        return True
    return known not in _FINAL


def state_of(status: str) -> DisputeState:
    """A status that we don't know yet counts as open: somebody must look."""
    return STATES.get(status, DisputeState.OPEN)


def gravest(statuses: Iterable[str]) -> DisputeState:
    """What the order shows of all its disputes."""
    found = {state_of(status) for status in statuses}
    return next((state for state in _GRAVEST_FIRST if state in found), DisputeState.NONE)
