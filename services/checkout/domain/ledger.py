"""The books: which accounts a payment, a refund and each of Stripe's balance transactions touch.

What we hear of first goes through `stripe_pending`; Stripe's balance transaction, which tells the fee and comes later
(`automatic_async`), moves it on to `stripe_balance`. What stays pending, Stripe never settled. Debits are positive.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.checkout.domain.refunds import Refund
from shared.money import Money


class Account(StrEnum):
    STRIPE_BALANCE = "stripe_balance"
    STRIPE_PENDING = "stripe_pending"
    SALES = "sales"
    CUSTOMER_CREDIT = "customer_credit"  # money that paid for nothing: surplus, late, of the wrong amount
    REFUNDS = "refunds"
    FEES = "fees"
    DISPUTES = "disputes"
    PAYOUTS = "payouts"  # on its way to, or in, our bank
    EXCHANGE = "exchange"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Entry:
    account: Account
    currency: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Booking:
    """A transaction of the ledger; `kind` and `source` together are booked once."""

    kind: str
    source: str
    order_id: UUID | None
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class BalanceTransaction:
    """One of Stripe's. `amount = net + fee`, in the currency of our balance.

    `payment_intent_id` is of the charge or refund it is about, `order_id` what the metadata of that says.
    `source_currency` and `source_minor` are what the customer paid or got, where that is another currency than our
    balance's.
    """

    id: str
    type: str
    currency: str
    amount_minor: int
    fee_minor: int
    net_minor: int
    source: str | None
    created_at: datetime
    source_currency: str | None = None
    source_minor: int | None = None
    payment_intent_id: str | None = None
    order_id: UUID | None = None


# Which account stands against our balance; https://docs.stripe.com/reports/balance-transaction-types
_AGAINST: Mapping[str, Account] = {
    "charge": Account.STRIPE_PENDING,
    "payment": Account.STRIPE_PENDING,
    "refund": Account.STRIPE_PENDING,
    "payment_refund": Account.STRIPE_PENDING,
    "refund_failure": Account.STRIPE_PENDING,
    "payment_failure_refund": Account.STRIPE_PENDING,
    "payout": Account.PAYOUTS,
    "payout_failure": Account.PAYOUTS,
    "payout_cancel": Account.PAYOUTS,
    "stripe_fee": Account.FEES,
}


def payment_booked(payment_intent_id: str, order_id: UUID, received: Money, *, settles: bool) -> Booking:
    """Money came in: a sale if it settled its order, else a debt to the customer."""
    against = Account.SALES if settles else Account.CUSTOMER_CREDIT
    entries = _pair(Account.STRIPE_PENDING, against, received.currency, received.amount_minor)
    return Booking("payment", payment_intent_id, order_id, entries)


def refund_booked(refund: Refund, *, settles: bool, returns: bool = False) -> Booking:
    """Money goes back; `returns`: it came to us again, since the refund failed."""
    against = Account.REFUNDS if settles else Account.CUSTOMER_CREDIT
    signed = -refund.amount_minor if returns else refund.amount_minor
    entries = _pair(against, Account.STRIPE_PENDING, refund.currency, signed)
    return Booking("refund_returned" if returns else "refund", str(refund.id), refund.order_id, entries)


def balance_booked(told: BalanceTransaction, *, is_ours: bool = True) -> Booking:
    """What Stripe settled, with its fee. `is_ours`: whether it is about a payment that this shop made."""
    against = _against(told, is_ours=is_ours)
    entries = [
        Entry(Account.STRIPE_BALANCE, told.currency, told.net_minor),
        Entry(Account.FEES, told.currency, told.fee_minor),
    ]
    if told.source_currency in (None, told.currency) or told.source_minor is None:
        entries.append(Entry(against, told.currency, -told.amount_minor))
    else:
        assert told.source_currency is not None
        signed = told.source_minor if told.amount_minor > 0 else -told.source_minor
        entries += [
            Entry(Account.EXCHANGE, told.currency, -told.amount_minor),
            Entry(Account.EXCHANGE, told.source_currency, signed),
            Entry(against, told.source_currency, -signed),
        ]
    return Booking("balance", told.id, None, tuple(entry for entry in entries if entry.amount_minor))


def _against(told: BalanceTransaction, *, is_ours: bool) -> Account:
    if told.type == "adjustment" and (told.source or "").startswith(("du_", "dp_")):
        return Account.DISPUTES
    found = _AGAINST.get(told.type, Account.OTHER)
    return Account.OTHER if found is Account.STRIPE_PENDING and not is_ours else found


def _pair(debit: Account, credit: Account, currency: str, amount_minor: int) -> tuple[Entry, ...]:
    return Entry(debit, currency, amount_minor), Entry(credit, currency, -amount_minor)
