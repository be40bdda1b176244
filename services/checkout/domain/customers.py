"""Shoppers whom the shop has signed in, and the cards that they let us keep. Cards themselves stay at Stripe."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

# One reference, one id, without looking it up: row-level security is told whose rows it is about before any is read.
_SHOPPERS = UUID("7d0c1a0e-5f0c-5a53-9c58-3d5b1f4a2c11")

CREATE_CUSTOMER = "create_customer"
DETACH_METHOD = "detach_method"


@dataclass(frozen=True, slots=True)
class Shopper:
    """Somebody who is signed in: `reference` is the shop's word for him."""

    reference: str

    @property
    def id(self) -> UUID:
        return uuid.uuid5(_SHOPPERS, self.reference)


@dataclass(frozen=True, slots=True)
class Payer:
    """A shopper who orders; as a customer of Stripe's where a saved card plays a part.

    `consent` is the version of the text by which he lets us keep the card that he pays with.
    """

    shopper: Shopper
    stripe_customer_id: str | None = None
    consent: str | None = None


@dataclass(frozen=True, slots=True)
class SavedCard:
    """A card that is kept, as far as a page shows it."""

    id: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int


@dataclass(frozen=True, slots=True)
class CustomerAttempt:
    """A POST to Stripe about a customer. Its id is the Idempotency-Key; `request` is sent word for word each time."""

    id: UUID
    customer_id: UUID
    operation: str
    request: Mapping[str, Any]
    created_at: datetime
    payment_method_id: str | None = None
