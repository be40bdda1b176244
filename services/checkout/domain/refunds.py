"""Refunds: what may be given back, and how one moves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.checkout.domain.pricing import Line
from shared.errors import Conflict, Invalid
from shared.money import round_half_up

CREATE_REFUND = "create_refund"

# Between tries of a refund whose outcome stays unknown: it may take a person to mend what is wrong.
LONGEST_REST_S = 300.0


class RefundState(StrEnum):
    """REQUESTED is ours alone: written down, and Stripe's answer not yet known."""

    REQUESTED = "requested"
    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # possibly long after it had succeeded
    CANCELED = "canceled"
    REFUSED = "refused"  # Stripe says that it never made it


REFUND_MOVES: Mapping[RefundState, frozenset[RefundState]] = {
    RefundState.REQUESTED: frozenset(RefundState) - {RefundState.REQUESTED},
    RefundState.PENDING: frozenset(
        {RefundState.REQUIRES_ACTION, RefundState.SUCCEEDED, RefundState.FAILED, RefundState.CANCELED}
    ),
    RefundState.REQUIRES_ACTION: frozenset(
        {RefundState.PENDING, RefundState.SUCCEEDED, RefundState.FAILED, RefundState.CANCELED}
    ),
    RefundState.SUCCEEDED: frozenset({RefundState.FAILED, RefundState.CANCELED}),
    RefundState.FAILED: frozenset(),
    RefundState.CANCELED: frozenset(),
    # We may have been told no, and Stripe show it all the same: an earlier try had made it.
    RefundState.REFUSED: frozenset(RefundState) - {RefundState.REQUESTED, RefundState.REFUSED},
}
# In these the money is the customer's, or on its way there.
GIVEN = frozenset({RefundState.PENDING, RefundState.REQUIRES_ACTION, RefundState.SUCCEEDED})
# In these it came back, or never left.
ENDED_BADLY = frozenset({RefundState.FAILED, RefundState.CANCELED, RefundState.REFUSED})


class RefundTooLarge(Conflict):
    code = "refund_too_large"
    title = "More than is left of the payment"


class RefundIdTaken(Conflict):
    code = "refund_id_taken"
    title = "This id is another refund's"


class NothingToRefund(Conflict):
    code = "nothing_to_refund"
    title = "There is no payment with money left to give back"


class ChargeDisputed(Conflict):
    code = "charge_disputed"
    title = "The payment is disputed: the bank decides about the money, and Stripe takes no refund"


@dataclass(frozen=True, slots=True)
class RefundWanted:
    """What somebody asks for: lines (position -> quantity), or an amount, or all that is left."""

    id: UUID
    reason: str
    amount_minor: int | None = None
    lines: Mapping[int, int] | None = None
    restock: bool = False
    payment_intent_id: str | None = None  # for money that settled nothing; else the payment of the order


@dataclass(frozen=True, slots=True)
class Refund:
    """A row of `refunds`. `attempt_id` is None for one that was made in Stripe's Dashboard."""

    id: UUID
    order_id: UUID
    payment_intent_id: str
    amount_minor: int
    currency: str
    state: RefundState
    reason: str
    actor: str
    restock: bool
    created_at: datetime
    attempt_id: UUID | None = None
    stripe_refund_id: str | None = None
    failure_reason: str | None = None


@dataclass(frozen=True, slots=True)
class RefundPlan:
    """How much is given back, and for which pieces (position -> quantity)."""

    amount_minor: int
    lines: Mapping[int, int]


def refund_rest_s(tries: int, first_s: float, at_least_s: float = 0.0) -> float:
    """Seconds until a refund is asked for again after so many tries: twice as long each time, up to LONGEST_REST_S."""
    return max(at_least_s, min(first_s * 2.0 ** min(tries - 1, 30), LONGEST_REST_S))


def plan_refund(wanted: RefundWanted, lines: Sequence[Line], left: Mapping[int, int], left_minor: int) -> RefundPlan:
    """What a wish comes to. `left` are the pieces of each line not refunded yet, `left_minor` the money.

    Raises Invalid or RefundTooLarge.
    """
    if wanted.lines is not None and wanted.amount_minor is not None:
        raise Invalid("give an amount or lines, not both", field="amount_minor")
    if left_minor <= 0:
        raise NothingToRefund("all of it has been given back, or is on its way")
    plan = _plan(wanted, lines, left, left_minor)
    if not 0 < plan.amount_minor <= left_minor:
        raise RefundTooLarge(f"{plan.amount_minor} is wanted and {left_minor} is left (in minor units)")
    if wanted.restock and not plan.lines:
        raise Invalid("say which lines come back on the shelf", field="restock")
    return plan


def same_refund(
    known: Refund, pieces: Mapping[int, int], order_id: UUID, wanted: RefundWanted, left_minor: int
) -> Refund:
    """The refund that a repeated request means; raises RefundIdTaken when it asks for another one.

    `pieces` are those of `known`, and `left_minor` is the money that its payment would have left without it.
    """
    found = (known.order_id, known.payment_intent_id, known.reason, known.restock, known.amount_minor, pieces)
    amount, lines = known.amount_minor, wanted.lines
    if lines is None:
        amount = left_minor if wanted.amount_minor is None else wanted.amount_minor
        lines = pieces if amount == left_minor else {}
    payment_intent_id = wanted.payment_intent_id or known.payment_intent_id
    if found != (order_id, payment_intent_id, wanted.reason, wanted.restock, amount, lines):
        raise RefundIdTaken("send a new id for another refund; one that was asked for does not change")
    return known


def _plan(wanted: RefundWanted, lines: Sequence[Line], left: Mapping[int, int], left_minor: int) -> RefundPlan:
    if wanted.lines is not None:
        for position, quantity in wanted.lines.items():
            if not 0 < quantity <= left.get(position, 0):
                raise Invalid(
                    f"line {position} has {left.get(position, 0)} pieces left to refund", field=f"lines.{position}"
                )
        amount = sum(_paid_for(lines[at], left[at], pieces) for at, pieces in wanted.lines.items())
        return RefundPlan(amount, dict(wanted.lines))
    if wanted.amount_minor is None or wanted.amount_minor == left_minor:
        return RefundPlan(left_minor, {position: pieces for position, pieces in left.items() if pieces > 0})
    return RefundPlan(wanted.amount_minor, {})


def _paid_for(line: Line, left: int, pieces: int) -> int:
    """What the customer paid for the next pieces of a line, with the tax that came on top.

    Taken as the difference of two shares, so that all pieces together come to the line's tax, whoever rounded when.
    """
    before, added, currency = line.quantity - left, line.tax.added.amount_minor, line.unit_price.currency
    shares = [round_half_up(added * number, line.quantity, currency) for number in (before, before + pieces)]
    return line.unit_price.amount_minor * pieces + shares[1] - shares[0]
