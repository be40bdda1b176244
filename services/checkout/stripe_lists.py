"""Pages of Stripe's lists, read as they are sent: a hundred of the package's objects would hold up every request.

Nothing here repeats or translates an error; `stripe_api` does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import stripe

from services.checkout.domain import BalanceTransaction
from services.checkout.domain.reconciling import Shown
from shared.events import PaymentSnapshot

Json = Mapping[str, Any]

PAGE = 100  # Stripe's largest


class Listed(StrEnum):
    """What is listed; the value is the path."""

    INTENTS = "payment_intents"
    REFUNDS = "refunds"
    DISPUTES = "disputes"
    BALANCE = "balance_transactions"


EXPANDED: Mapping[Listed, list[str]] = {
    Listed.INTENTS: ["data.latest_charge", "data.review"],
    Listed.BALANCE: ["data.source"],
}


@dataclass(frozen=True, slots=True)
class Span:
    """What was made from `since` to `until`, both included. Stripe's times are whole seconds."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list, newest first; `last` is the cursor for the next."""

    items: tuple[Json, ...]
    has_more: bool

    @property
    def last(self) -> str | None:
        return str(self.items[-1]["id"]) if self.items and self.has_more else None


async def page(client: stripe.StripeClient, of: Listed, span: Span, after: str | None) -> Page:
    """What was made in the span, older than `after`."""
    asked: dict[str, Any] = {
        "created": {"gte": int(span.since.timestamp()), "lte": int(span.until.timestamp())},
        "limit": PAGE,
    }
    if of in EXPANDED:
        asked["expand"] = EXPANDED[of]
    if after is not None:
        asked["starting_after"] = after
    answer: Any = await client.raw_request_async("get", f"/v1/{of}", **asked)
    return Page(tuple(answer.data["data"]), bool(answer.data["has_more"]))


def shown(intent: Json) -> Shown:
    """A PaymentIntent of the list, with its latest charge and its review."""
    charge: Json = intent["latest_charge"] if isinstance(intent.get("latest_charge"), dict) else {}
    failure: Json = intent.get("last_payment_error") or {}
    metadata: Json = intent.get("metadata") or {}
    moments = [intent["created"], intent.get("canceled_at"), charge.get("created")]
    return Shown(
        PaymentSnapshot(
            payment_intent_id=intent["id"],
            status=intent["status"],
            amount_minor=intent["amount"],
            amount_received_minor=intent["amount_received"],
            currency=intent["currency"],
            order_id=_uuid(metadata.get("order_id")),
            attempt_id=_uuid(metadata.get("attempt_id")),
            charge_id=charge.get("id"),
            failure_code=failure.get("code"),
            decline_code=failure.get("decline_code"),
        ),
        refunded_minor=charge.get("amount_refunded", 0),
        is_disputed=bool(charge.get("disputed")),
        review=_review(intent.get("review")),
        changed_at=datetime.fromtimestamp(max(moment for moment in moments if moment), UTC),
    )


def balance_transaction(told: Json) -> BalanceTransaction:
    """A balance transaction with the charge, refund, dispute or payout that it is about."""
    source: Json = told["source"] if isinstance(told.get("source"), dict) else {"id": told.get("source")}
    return BalanceTransaction(
        id=told["id"],
        type=told["type"],
        currency=told["currency"],
        amount_minor=told["amount"],
        fee_minor=told["fee"],
        net_minor=told["net"],
        source=source["id"],
        created_at=datetime.fromtimestamp(told["created"], UTC),
        source_currency=source.get("currency"),
        source_minor=source.get("amount"),
        payment_intent_id=id_of(source.get("payment_intent")),
        order_id=_uuid((source.get("metadata") or {}).get("order_id")),
    )


def id_of(thing: Any) -> str | None:
    """The id of what Stripe gives whole or by its id."""
    found: str | None = thing["id"] if isinstance(thing, dict) else thing
    return found


def _review(review: Any) -> str:
    if not isinstance(review, dict):
        return "none"
    return "open" if review.get("open") else "closed"


def _uuid(text: Any) -> UUID | None:
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None
