"""Whether an order is held, and why: derived from what is known of its payments, whatever came first."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.checkout.domain.orders import Order
from services.checkout.domain.states import Hold, PaymentState
from shared.errors import Conflict


class NothingToRelease(Conflict):
    code = "nothing_to_release"
    title = "Nothing holds the order that a person may decide here"


@dataclass(frozen=True, slots=True)
class Income:
    """A payment of an order that brought money, and what was given back of it."""

    payment_intent_id: str
    received_minor: int
    refunded_minor: int
    currency: str
    settles: bool
    review: str = "none"
    otherwise_minor: int = 0  # given back another way, by a person who dealt with a refund that failed
    is_lost: bool = False  # the bank has taken it back: there is nothing left to give back
    has_fraud_warning: bool = False  # that asks for a decision which nobody has taken

    @property
    def is_owed(self) -> bool:
        """Whether we still have what, should it settle nothing, is the customer's."""
        return not self.is_lost and self.left_minor > self.otherwise_minor

    @property
    def left_minor(self) -> int:
        return self.received_minor - self.refunded_minor


def hold_of(order: Order, incomes: Iterable[Income], *, has_failed_refund: bool) -> Hold:
    """The gravest reason that still stands, or none."""
    incomes = list(incomes)
    surplus = [income for income in incomes if not income.settles and income.is_owed]
    if surplus and order.payment is PaymentState.PAID and any(income.settles for income in incomes):
        return Hold.PAID_TWICE
    if surplus:
        is_late = order.payment is PaymentState.EXPIRED and all(is_the_price(order, income) for income in surplus)
        return Hold.PAID_TOO_LATE if is_late else Hold.PAYMENT_DIFFERS
    if has_failed_refund:
        return Hold.REFUND_FAILED
    if any(income.has_fraud_warning and income.left_minor > 0 for income in incomes):
        return Hold.FRAUD_WARNING
    if any(income.review == "open" for income in incomes):
        return Hold.REVIEW
    return Hold.NONE


def is_the_price(order: Order, income: Income) -> bool:
    """Whether a payment is of what the order costs."""
    return (income.received_minor, income.currency) == (order.total.amount_minor, order.total.currency)
