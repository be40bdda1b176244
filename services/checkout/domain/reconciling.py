"""What Stripe shows of a payment against what we hold: what has gone on without us, what contradicts, when to look."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from services.checkout.domain.states import RESERVING, Hold, PaymentState
from shared.events import PaymentSnapshot
from shared.money import Money


class Difference(StrEnum):
    """The first four are put right, by what events would have done; the others wait for a person."""

    ROW_MISSING = "row_missing"  # the payment is of our order, and its row is gone
    BEHIND = "behind"  # Stripe has gone on, and we have not heard of it
    REFUNDS_UNHEARD = "refunds_unheard"
    DISPUTE_UNHEARD = "dispute_unheard"
    REVIEW_UNHEARD = "review_unheard"
    NO_ORDER = "no_order"  # money at Stripe that no order of ours stands for
    AMOUNT_DIFFERS = "amount_differs"
    CONTRADICTS = "contradicts"  # what events would do does not bring the two together
    NOT_AT_STRIPE = "not_at_stripe"  # we hold what Stripe doesn't know
    STUCK = "stuck"  # the reservation is long over, and neither paid nor released
    BALANCE_DIFFERS = "balance_differs"  # booked otherwise than Stripe settled it


REPAIRABLE = frozenset(
    {
        Difference.ROW_MISSING,
        Difference.BEHIND,
        Difference.REFUNDS_UNHEARD,
        Difference.DISPUTE_UNHEARD,
        Difference.REVIEW_UNHEARD,
    }
)

WIDENS_BY = 1.5


@dataclass(frozen=True, slots=True)
class Policy:
    """`settle`: so long news has the time to come by itself. `books`: the same for balance transactions.

    `stuck`: so long after the end of its reservation an order is neither paid nor released. `answer`: so long webhooks
    has to say which events it fetched. `is_shared`: what names no order of ours may be another shop's.
    """

    settle: timedelta = timedelta(minutes=1)
    books: timedelta = timedelta(minutes=11)
    stuck: timedelta = timedelta(hours=1)
    answer: timedelta = timedelta(minutes=1)
    interval_s: float = 300.0
    idle_s: float = 3600.0
    first: timedelta = timedelta(days=7)
    overlap: timedelta = timedelta(hours=2)
    reads: int = 200
    is_shared: bool = False


USUAL = Policy()


# States of a PaymentIntent in which its customer has not finished: which of them it is changes nothing here.
_WAITING = frozenset({"requires_payment_method", "requires_confirmation", "requires_action", "requires_capture"})


@dataclass(frozen=True, slots=True)
class Shown:
    """A payment as Stripe shows it. `changed_at` is the latest change that it tells of; None: not told.

    `refunds` and `disputes` (Stripe's id -> status) are there when it was asked for all of them, else None.
    """

    payment: PaymentSnapshot
    refunded_minor: int = 0  # what is given back, or on its way
    is_disputed: bool = False
    review: str = "none"
    changed_at: datetime | None = None
    refunds: Mapping[str, str] | None = None
    disputes: Mapping[str, str] | None = None

    @property
    def is_given_back(self) -> bool:
        return 0 < self.payment.amount_received_minor <= self.refunded_minor


@dataclass(frozen=True, slots=True)
class Row:
    """Our row of a payment."""

    order_id: UUID
    status: str
    received_minor: int
    settles: bool
    review: str


@dataclass(frozen=True, slots=True)
class Known:
    """What we hold of a payment, and of the order that it is of. `settled_by` is the payment that settled the order."""

    order_id: UUID
    number: str
    payment: PaymentState
    hold: Hold
    total: Money
    row: Row | None
    refunded_minor: int
    refunds: Mapping[str, str]  # Stripe's id -> how it stands here
    disputes: Mapping[str, str]
    settled_by: str | None
    has_other_live: bool  # another payment of the order may still bring money
    is_owed: bool = True  # should it settle nothing, it is the customer's: no bank and no person has given it back


def compare(shown: Shown, known: Known) -> Difference | None:
    """The first thing in which the two differ."""
    row, told = known.row, shown.payment
    if row is None:
        return Difference.ROW_MISSING
    has_moved = _kind(told.status) != _kind(row.status) or told.amount_received_minor != row.received_minor
    is_unpaid = told.status != "succeeded" and _counts_on_it(known, told.payment_intent_id)
    checks = (
        (Difference.CONTRADICTS, told.order_id not in (None, row.order_id)),
        (Difference.BEHIND, has_moved),
        (Difference.AMOUNT_DIFFERS, _is_other_money(shown, known)),
        (Difference.CONTRADICTS, is_unpaid),
        (Difference.BEHIND, _is_order_behind(shown, known, row)),
        (Difference.REFUNDS_UNHEARD, shown.refunded_minor != known.refunded_minor),
        (Difference.REFUNDS_UNHEARD, not _has_all(known.refunds, shown.refunds)),
        (Difference.DISPUTE_UNHEARD, shown.is_disputed and not known.disputes),
        (Difference.DISPUTE_UNHEARD, not _has_all(known.disputes, shown.disputes)),
        (Difference.REVIEW_UNHEARD, shown.review not in ("none", row.review)),
    )
    return next((difference for difference, differs in checks if differs), None)


def is_old_enough(shown: Shown, now: datetime, settle: timedelta) -> bool:
    """Whether its news has had the time to come by itself."""
    return shown.changed_at is None or shown.changed_at <= now - settle


def is_money(shown: Shown) -> bool:
    """Whether it has brought money that is still ours, or may yet bring some."""
    return shown.payment.status != "canceled" and not shown.is_given_back


def next_interval_s(previous_s: float, found: int, shortest_s: float, idle_s: float) -> float:
    """The pause until the next run: short after one that found something, wider the longer there is nothing."""
    if found:
        return shortest_s
    return min(max(previous_s * WIDENS_BY, shortest_s), max(idle_s, shortest_s))


def since(previous_until: datetime | None, now: datetime, first: timedelta, overlap: timedelta) -> datetime:
    """From when on objects are compared: each run reaches into the one before, for what changed after it was made."""
    return now - first if previous_until is None else previous_until - overlap


def _has_all(known: Mapping[str, str], shown: Mapping[str, str] | None) -> bool:
    return all(known.get(each) == status for each, status in (shown or {}).items())


def _kind(status: str) -> str:
    return "waiting" if status in _WAITING else status


def _is_other_money(shown: Shown, known: Known) -> bool:
    """Of what is not the price, only what is given back or cancelled is done with."""
    told = shown.payment
    asked = Money(told.amount_minor, told.currency)
    got = Money(told.amount_received_minor, told.currency)
    is_right = asked == known.total and (told.status != "succeeded" or got == known.total)
    return not is_right and is_money(shown) and known.is_owed


def _is_ours(shown: Shown, known: Known) -> bool:
    """Whether we still have the money."""
    return known.is_owed and not shown.is_given_back


def _counts_on_it(known: Known, payment_intent_id: str) -> bool:
    """Whether the order is paid, and by no other payment."""
    return known.payment is PaymentState.PAID and known.settled_by in (None, payment_intent_id)


def _is_order_behind(shown: Shown, known: Known, row: Row) -> bool:
    told = shown.payment
    match told.status:
        case "succeeded" if known.payment is PaymentState.PAID:
            is_accounted = row.settles or known.hold is not Hold.NONE or not _is_ours(shown, known)
            return known.settled_by is None or not is_accounted
        case "succeeded":
            return known.hold is Hold.NONE and _is_ours(shown, known)
        case "processing":
            return known.payment in (PaymentState.AWAITING, PaymentState.FAILED)
        case "requires_payment_method" if told.failure_code or told.decline_code:
            return known.payment in (PaymentState.AWAITING, PaymentState.PROCESSING)
        case "canceled":
            return known.payment in RESERVING and not known.has_other_live
        case _:
            return False
