"""Paid orders, and what happens to their money: for the tests of refunds, disputes and the ledger."""

import asyncio
from typing import Any
from uuid import UUID

from services.checkout import consumers, jobs
from services.checkout.actions import refunds
from services.checkout.domain import Refund, RefundWanted
from shared import inbox
from shared.events import (
    DisputeCreated,
    DisputeSnapshot,
    FraudWarningCreated,
    FraudWarningSnapshot,
    RefundCreated,
    RefundSnapshot,
    ReviewOpened,
    ReviewSnapshot,
)
from shared.ids import uuid7
from tests.integration.checkout.conftest import PATIENCE_S, an_order
from tests.integration.checkout.test_payments import a_success, hear


async def a_paid_order(checkout, stripe, quantity: int = 2, card: str = "pm_card_visa") -> dict[str, Any]:
    """Paid at Stripe, and heard of here."""
    _, placed = await checkout.place(an_order(quantity=quantity))
    status, answer = await stripe.pay(placed["payment_intent_id"], card)
    assert (status, answer["status"]) == (200, "succeeded")
    await hear(checkout, a_success(placed))
    return placed


def order_id_of(placed: dict[str, Any]) -> UUID:
    return UUID(placed["order"]["id"])


async def want(checkout, placed: dict[str, Any], **wanted: Any) -> Refund:
    given = {"id": uuid7(), "reason": "sent back", **wanted}
    async with checkout.till.pool.worker() as conn:
        return await refunds.request(conn, order_id_of(placed), RefundWanted(**given), "staff ada")


async def hear_money(checkout, event) -> None:
    async with checkout.till.pool.worker() as conn:
        if await inbox.claim(conn, "checkout.on_money_moved", event.id):
            await consumers.on_money_moved(conn, event)


def a_refund_event(placed: dict[str, Any], refund_id: str = "re_x", status: str = "succeeded") -> RefundCreated:
    snapshot = RefundSnapshot(
        refund_id=refund_id,
        status=status,
        amount_minor=1,
        currency="usd",
        payment_intent_id=placed["payment_intent_id"],
    )
    return RefundCreated(stripe_event_id=f"evt_{uuid7().hex}", livemode=False, refund=snapshot)


def a_dispute_event(placed: dict[str, Any], kind: type = DisputeCreated, status: str = "needs_response") -> Any:
    """What the event says of the status counts for nothing: the dispute itself is asked for."""
    snapshot = DisputeSnapshot(
        dispute_id="du_x",
        status=status,
        amount_minor=1,
        currency="usd",
        payment_intent_id=placed["payment_intent_id"],
    )
    return kind(stripe_event_id=f"evt_{uuid7().hex}", livemode=False, dispute=snapshot)


def a_review_event(placed: dict[str, Any], kind: type = ReviewOpened, *, is_open: bool = True) -> Any:
    snapshot = ReviewSnapshot(review_id="prv_x", is_open=is_open, payment_intent_id=placed["payment_intent_id"])
    return kind(stripe_event_id=f"evt_{uuid7().hex}", livemode=False, review=snapshot)


def a_warning_event(placed: dict[str, Any], kind: type = FraudWarningCreated) -> Any:
    snapshot = FraudWarningSnapshot(
        warning_id="issfr_x", is_actionable=True, fraud_type="misc", payment_intent_id=placed["payment_intent_id"]
    )
    return kind(stripe_event_id=f"evt_{uuid7().hex}", livemode=False, warning=snapshot)


async def quiet(checkout) -> None:
    """Everything that was begun has come to its end."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with checkout.till.pool.worker() as conn:
                is_open = await conn.fetchval(
                    """
                    SELECT EXISTS (SELECT FROM resyncs WHERE done_at IS NULL)
                        OR EXISTS (SELECT FROM refunds WHERE state = 'requested')
                    """
                )
            if not is_open:
                return
            await jobs.pursue_refunds(checkout.till)
            await jobs.resync(checkout.till)
            await asyncio.sleep(0.05)


async def row_of(owner, placed: dict[str, Any]) -> tuple[str, str, str, str, int]:
    """payment, fulfilment, dispute, hold, refunded."""
    row = await owner.fetchrow(
        "SELECT payment, fulfilment, dispute, hold, refunded_minor FROM checkout.orders WHERE id = $1",
        order_id_of(placed),
    )
    return tuple(row)


async def refunds_of(owner, placed: dict[str, Any]) -> list[tuple[int, str, str]]:
    rows = await owner.fetch(
        "SELECT amount_minor, state, actor FROM checkout.refunds WHERE order_id = $1 ORDER BY created_at",
        order_id_of(placed),
    )
    return [tuple(row) for row in rows]


async def timeline_of(owner, placed: dict[str, Any]) -> list[str]:
    rows = await owner.fetch(
        "SELECT what FROM checkout.order_timeline WHERE order_id = $1 ORDER BY at", order_id_of(placed)
    )
    return [row["what"] for row in rows]


async def given_back(stripe, placed: dict[str, Any]) -> int:
    """What Stripe has given back of the order's payment, asked of Stripe."""
    headers = {"Authorization": "Bearer sk_test_standin"}
    url = f"{stripe.url}/v1/refunds?payment_intent={placed['payment_intent_id']}&limit=100"
    async with stripe.http.get(url, headers=headers) as response:
        made = (await response.json())["data"]
    return sum(refund["amount"] for refund in made if refund["status"] not in ("failed", "canceled"))
