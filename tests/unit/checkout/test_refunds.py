"""Which refund a repeated request means."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.checkout import domain
from services.checkout.domain import Refund, RefundIdTaken, RefundState, RefundWanted
from shared.ids import uuid7

ORDER = uuid7()
KNOWN = Refund(
    id=uuid7(),
    order_id=ORDER,
    payment_intent_id="pi_1",
    amount_minor=6500,
    currency="usd",
    state=RefundState.PENDING,
    reason="too wide",
    actor="staff ada",
    restock=False,
    created_at=datetime(2026, 11, 27, tzinfo=UTC),
)
WISH = RefundWanted(KNOWN.id, "too wide")
LINE = {0: 1}
PAID = 13000

SAME = {
    "lines": (replace(WISH, lines=LINE), LINE, PAID),
    "lines, of a payment that is named": (replace(WISH, lines=LINE, payment_intent_id="pi_1"), LINE, PAID),
    "an amount": (replace(WISH, amount_minor=6500), {}, PAID),
    "an amount that was all": (replace(WISH, amount_minor=6500), LINE, 6500),
    "all that was left": (WISH, LINE, 6500),
}
OTHER = {
    "more pieces": (replace(WISH, lines={0: 2}), LINE, PAID),
    "another line": (replace(WISH, lines={1: 1}), LINE, PAID),
    "pieces instead of an amount": (replace(WISH, lines=LINE), {}, PAID),
    "an amount instead of pieces": (replace(WISH, amount_minor=6500), LINE, PAID),
    "another amount": (replace(WISH, amount_minor=6501), {}, PAID),
    "all instead of an amount": (WISH, {}, PAID),
    "all instead of pieces": (WISH, LINE, PAID),
    "back on the shelf": (replace(WISH, lines=LINE, restock=True), LINE, PAID),
    "another payment": (replace(WISH, amount_minor=6500, payment_intent_id="pi_2"), {}, PAID),
    "another reason": (replace(WISH, amount_minor=6500, reason="too long"), {}, PAID),
}


@pytest.mark.parametrize(("wanted", "pieces", "left_minor"), SAME.values(), ids=SAME)
def test_the_same_wish_is_the_same_refund(wanted, pieces, left_minor):
    assert domain.same_refund(KNOWN, pieces, ORDER, wanted, left_minor) is KNOWN


@pytest.mark.parametrize(("wanted", "pieces", "left_minor"), OTHER.values(), ids=OTHER)
def test_another_wish_needs_another_id(wanted, pieces, left_minor):
    with pytest.raises(RefundIdTaken):
        domain.same_refund(KNOWN, pieces, ORDER, wanted, left_minor)


def test_an_id_of_another_order_is_taken():
    with pytest.raises(RefundIdTaken):
        domain.same_refund(KNOWN, {}, uuid7(), replace(WISH, amount_minor=6500), PAID)
