"""The staff's routes of checkout: open to a session with the right, and every act names who did it."""

from uuid import uuid4

import pytest

from services.checkout.app import make
from shared import staff
from shared.ids import uuid7
from shared.staff import Right
from tests.integration.checkout.conftest import SKU, ask, serving, settings_for
from tests.integration.checkout.money import a_paid_order, given_back, order_id_of, quiet, refunds_of
from tests.integration.checkout.test_payments import journal_of, stock_of


async def audited(owner, actor: str) -> dict[str, str | None]:
    """What somebody did, by action, with the reason."""
    rows = await owner.fetch("SELECT action, reason FROM audit.log WHERE actor = $1", actor)
    return {row["action"]: row["reason"] for row in rows}


async def test_staff_with_the_right_refund_an_order_once_and_in_their_own_name(checkout, stripe, owner, signed_in):
    placed = await a_paid_order(checkout, stripe)
    headers, actor = await signed_in(Right.ORDERS_REFUND)
    path = f"/v1/staff/orders/{order_id_of(placed)}/refunds/{uuid7()}"
    body = {"reason": "one came back", "lines": {"0": 1}, "restock": True}
    for _ in range(2):
        status, answer = await ask(checkout, "PUT", path, body, headers)
        assert (status, answer["amount_minor"], answer["reason"]) == (202, 6500, "one came back")
    await quiet(checkout)
    assert await refunds_of(owner, placed) == [(6500, "succeeded", actor)]
    assert await given_back(stripe, placed) == 6500
    assert await stock_of(owner) == await journal_of(owner) == (59, 0)
    row = await owner.fetchrow("SELECT actor, order_id FROM checkout.stock_journal WHERE reason = 'return'")
    assert tuple(row) == (actor, None)
    assert await audited(owner, actor) == {
        "order.refund_requested": "6500 usd: one came back",
        "order.restock": "one came back",
    }


async def test_staff_with_the_right_adjust_stock_in_their_own_name(checkout, owner, signed_in):
    headers, actor = await signed_in(Right.STOCK_ADJUST)
    path, body = f"/v1/staff/stock/{SKU}/adjustments", {"by": -2, "reason": "damage", "note": "moths"}
    status, answer = await ask(checkout, "POST", path, {**body, "preview": True}, headers)
    assert (status, answer["changed"], await stock_of(owner)) == (200, False, (60, 0))
    status, answer = await ask(checkout, "POST", path, body, headers)
    assert (status, answer["after"]["on_hand"]) == (201, 58)
    assert await stock_of(owner) == await journal_of(owner) == (58, 0)
    row = await owner.fetchrow("SELECT actor, note FROM checkout.stock_journal WHERE reason = 'damage'")
    assert tuple(row) == (actor, "moths")
    assert await audited(owner, actor) == {"stock.adjust": "damage: moths"}


@pytest.mark.parametrize("who", ["nobody", "somebody unknown", "without the right", "signed out"])
async def test_nobody_else_gets_through(checkout, pool, stripe, owner, signed_in, who):
    placed = await a_paid_order(checkout, stripe)
    headers, _ = await signed_in(Right.ORDERS_REFUND, Right.ORDERS_RELEASE, Right.ORDERS_SHIP, Right.STOCK_ADJUST)
    if who == "nobody":
        headers = {}
    elif who == "somebody unknown":
        headers = {"Authorization": "Bearer unknown"}
    elif who == "without the right":
        headers, _ = await signed_in(Right.EVENTS_READ, name="Grace")
    else:
        async with pool.request() as conn:
            known = await staff.read_session(pool, headers["Authorization"].removeprefix("Bearer "))
            assert known is not None
            await staff.leave(conn, known.session_id)
    expected = (403, "right_missing") if who == "without the right" else (401, "staff_only")
    order = f"/v1/staff/orders/{order_id_of(placed)}"
    for method, path, body in (
        ("PUT", f"{order}/refunds/{uuid4()}", {"reason": "x"}),
        ("POST", f"{order}/release", {"reason": "x"}),
        ("GET", f"{order}/parcels", {}),
        ("PUT", f"{order}/parcels/{uuid4()}", {"carrier": "UPS"}),
        ("PUT", f"{order}/parcels/{uuid4()}/state", {"state": "delivered", "reason": "x"}),
        ("POST", f"/v1/staff/stock/{SKU}/adjustments", {"by": -1, "reason": "damage"}),
    ):
        status, problem = await ask(checkout, method, path, body, headers)
        assert (status, problem["code"]) == expected
    assert await refunds_of(owner, placed) == []
    assert await stock_of(owner) == (58, 0)


async def test_staff_are_shown_their_operations_and_strangers_are_not(clean, amqp_url, stripe, http, signed_in):
    headers, _ = await signed_in()
    app = make(settings_for(clean, amqp_url, stripe.url, internal_networks=()))
    async with serving(app, http) as checkout:
        for given, is_shown in (({}, False), ({"Authorization": "Bearer of a guess"}, False), (headers, True)):
            _, document = await checkout.get("/openapi.json", headers=given)
            assert ("/v1/staff/orders/{id}/refunds/{refund_id}" in document["paths"]) is is_shown
            assert ("RefundIn" in document["components"]["schemas"]) is is_shown
