"""Card testing: somebody has stolen card numbers and tries here which of them work.

What gives it away is failures: of one card, on one order, from one address or mail address. And orders that nobody
pays, since each brings a PaymentIntent to try cards on. Successes are never counted.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from shared.errors import TooManyRequests


class Kind(StrEnum):
    """Against whom a failure is counted. The shop's own count is told, and refuses nobody."""

    ORDER = "order"
    CARD = "card"
    EMAIL = "email"
    CUSTOMER = "customer"
    ADDRESS = "address"
    SHOP = "shop"


class TooManyAttempts(TooManyRequests):
    """Deliberately says no more: whoever tests cards would learn what to change."""

    code = "too_many_attempts"
    title = "Too many payments failed"

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("Please try again later, or write to the shop", retry_after_s=retry_after_s)


@dataclass(frozen=True, slots=True)
class Limit:
    """`most` within `window`; one more is too many."""

    most: int
    window: timedelta


@dataclass(frozen=True)
class Guard:
    """`failures` and `unpaid` orders that are too many. `key` hashes what is counted; not enforced, it only tells."""

    key: str = field(repr=False)
    failures: Mapping[Kind, Limit]
    unpaid: Mapping[Kind, Limit]
    is_enforced: bool = True


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an order comes from, as keyed hashes. None: a guest, and an address that says nothing about the client."""

    email: bytes
    customer: bytes | None
    address: bytes | None

    def keys(self) -> dict[Kind, bytes]:
        known = {Kind.EMAIL: self.email, Kind.CUSTOMER: self.customer, Kind.ADDRESS: self.address}
        return {kind: key for kind, key in known.items() if key is not None}


def keyed(guard: Guard, kind: Kind, value: str) -> bytes:
    """What is stored instead of the value. A newline is in no kind, so that the parts can't run into each other."""
    return hmac.digest(guard.key.encode(), f"card testing\n{kind}\n{value}".encode(), "sha256")


def origin(guard: Guard, email: str, customer: UUID | None, address: str | None) -> Origin:
    return Origin(
        keyed(guard, Kind.EMAIL, mailbox(email)),
        None if customer is None else keyed(guard, Kind.CUSTOMER, str(customer)),
        None if address is None else keyed(guard, Kind.ADDRESS, address),
    )


def mailbox(email: str) -> str:
    """The box that an address means: `Ada+7@Example.com` is ada@example.com."""
    local, _, host = email.lower().rpartition("@")
    return f"{local.partition('+')[0] or local}@{host}"


def counted(guard: Guard, order_id: str, card: str | None, who: Origin | None) -> dict[Kind, bytes]:
    """All keys that a failure is counted against."""
    found = {
        Kind.ORDER: keyed(guard, Kind.ORDER, order_id),
        Kind.SHOP: keyed(guard, Kind.SHOP, ""),
        **(who.keys() if who else {}),
    }
    return found if card is None else {**found, Kind.CARD: keyed(guard, Kind.CARD, card)}


def passed(guard: Guard, counts: Mapping[Kind, int]) -> tuple[Kind, ...]:
    """The limits that these failures, the newest included, have reached: from here on it is too many."""
    return tuple(kind for kind, count in counts.items() if count >= guard.failures[kind].most)
