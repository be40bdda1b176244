"""Stripe's objects as it sends them: what it has nothing to say of it leaves out, and the package raises for that."""

from typing import Any

import stripe

from services.checkout.stripe_api.shapes import refund_snapshot

# All that is always in a refund, by the package's typings for TypeScript (23.1), which tell null from left out.
REFUND: dict[str, Any] = {
    "id": "re_1",
    "object": "refund",
    "amount": 1000,
    "balance_transaction": None,
    "charge": None,
    "created": 1692942318,
    "currency": "usd",
    "customer": None,
    "customer_account": None,
    "metadata": None,
    "payment_intent": "pi_1",
    "payment_method": None,
    "reason": None,
    "receipt_number": None,
    "source_transfer_reversal": None,
    "status": None,
    "transfer_reversal": None,
}


def test_a_refund_that_has_not_failed_has_no_reason_for_it():
    read = refund_snapshot(stripe.Refund.construct_from(REFUND, "key"))
    assert (read.refund_id, read.status, read.failure_reason, read.our_refund_id) == ("re_1", "pending", None, None)
