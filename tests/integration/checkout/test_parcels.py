"""Parcels through the staff's routes: who may, what is refused and why, repeats, and races for the same piece."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from services.checkout.actions import shipping, standing
from services.checkout.domain import (
    Hold,
    MoreThanLeft,
    OrderGivenBack,
    OrderOnHold,
    ParcelIdTaken,
    ParcelState,
    ParcelWanted,
    Refund,
)
from services.checkout.store import orders as store
from shared.events import OrderShipped, decode
from shared.ids import uuid7
from shared.staff import Right
from tests.integration.checkout.conftest import ask
from tests.integration.checkout.money import (
    a_paid_order,
    a_review_event,
    hear_money,
    order_id_of,
    quiet,
    row_of,
    timeline_of,
    want,
)
from tests.integration.checkout.test_payments import staged

UPS = {"carrier": "UPS", "tracking_number": "1Z 999 AA1 01 2345 6784"}


@pytest.fixture
async def desk(checkout, signed_in):
    """Somebody who packs: asks for a route of an order."""
    headers, actor = await signed_in(Right.ORDERS_SHIP)

    async def asked(placed: dict, method: str, path: str, **body: Any) -> tuple[int, dict]:
        return await ask(checkout, method, f"/v1/staff/orders/{order_id_of(placed)}/{path}", body, headers)

    asked.actor = actor  # type: ignore[attr-defined]
    return asked


async def ship(checkout, placed: dict, **wanted: Any):
    async with checkout.till.pool.worker() as conn:
        given = {"id": uuid7(), "carrier": "UPS", **wanted}
        return await shipping.ship(conn, order_id_of(placed), ParcelWanted(**given), "staff ada")


async def told(owner) -> list[OrderShipped]:
    rows = await owner.fetch("SELECT body FROM checkout.outbox WHERE type = 'order.shipped' ORDER BY id")
    found = [decode(bytes(row["body"])) for row in rows]
    assert all(isinstance(event, OrderShipped) for event in found)
    return found  # type: ignore[return-value]


async def test_an_order_goes_out_in_two_parcels_and_everybody_is_told(checkout, stripe, owner, desk):
    placed = await a_paid_order(checkout, stripe)
    first, second = uuid7(), uuid7()
    for expected in (201, 200):  # the second time it is known
        status, parcel = await desk(placed, "PUT", f"parcels/{first}", lines={"0": 1}, reason="one is late", **UPS)
        assert (status, parcel["state"], parcel["lines"]) == (expected, "shipped", {"0": 1})
    assert parcel["tracking_url"].endswith("1Z999AA10123456784")
    assert (await row_of(owner, placed))[1] == "part_shipped"
    assert (await desk(placed, "PUT", f"parcels/{second}", carrier="Post"))[0] == 201
    assert (await row_of(owner, placed))[1] == "shipped"
    for parcel_id in (first, second, second):
        status, _ = await desk(placed, "PUT", f"parcels/{parcel_id}/state", state="delivered", reason="says UPS")
        assert status == 200
    assert (await row_of(owner, placed))[1] == "delivered"
    events = await told(owner)
    assert [(event.parcel.parcel_id, event.fulfilment) for event in events] == [
        (first, "part_shipped"),
        (second, "shipped"),
    ]
    assert [(line.sku, line.quantity) for line in events[0].parcel.lines] == [("SILK-TIE-NAVY-ONE", 1)]
    assert await staged(owner, "order.delivered") == 2
    rows = await owner.fetch(
        "SELECT what, reason FROM checkout.order_timeline WHERE actor = $1 ORDER BY at",
        desk.actor,
    )
    assert [tuple(row) for row in rows][:2] == [
        ("parcel shipped", "UPS 1Z999AA10123456784 (1 × SILK-TIE-NAVY-ONE): one is late"),
        ("parcel shipped", "Post without a number (1 × SILK-TIE-NAVY-ONE)"),
    ]
    assert [row["what"] for row in rows[2:]] == ["parcel delivered"] * 2
    audited = await owner.fetch("SELECT action FROM audit.log WHERE actor = $1", desk.actor)
    assert sorted(row["action"] for row in audited) == ["order.parcel_delivered"] * 2 + ["order.parcel_shipped"] * 2


async def test_staff_see_what_is_left_and_the_customer_sees_his_parcels(checkout, stripe, owner, desk):
    placed = await a_paid_order(checkout, stripe)
    await desk(placed, "PUT", f"parcels/{uuid7()}", lines={"0": 1}, **UPS)
    status, shown = await desk(placed, "GET", "parcels")
    assert (status, shown["fulfilment"], len(shown["parcels"])) == (200, "part_shipped", 1)
    assert shown["pieces"] == [{"ordered": 2, "sent": 1, "refunded": 0, "left": 1}]
    path = f"/v1/orders/{order_id_of(placed)}"
    status, order = await checkout.get(path, headers={"Authorization": f"Bearer {placed['order_token']}"})
    assert (order["reading"], order["parcels"][0]["carrier"]) == ("paid, part shipped", "UPS")
    url = f"{checkout.url}/orders/{order_id_of(placed)}?token={placed['order_token']}"
    async with checkout.http.get(url) as response:
        page = await response.text()
    assert "Partly on its way" in page
    assert '<a href="https://www.ups.com/track?tracknum=1Z999AA10123456784" rel="noreferrer">' in page
    # Another order's customer has no row of it.
    _, other = await checkout.place()
    async with checkout.till.pool.request(order_id=UUID(other["order"]["id"])) as conn:
        for table in ("parcels", "parcel_lines"):
            assert await conn.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_a_parcel_that_came_back_may_be_sent_again(checkout, stripe, owner, desk):
    placed = await a_paid_order(checkout, stripe)
    parcel_id = uuid7()
    await desk(placed, "PUT", f"parcels/{parcel_id}", **UPS)
    status, _ = await desk(placed, "PUT", f"parcels/{parcel_id}/state", state="returned", reason="unknown address")
    assert (status, (await row_of(owner, placed))[1], await staged(owner, "order.returned")) == (200, "returned", 1)
    status, problem = await desk(placed, "PUT", f"parcels/{parcel_id}/state", state="delivered", reason="no")
    assert (status, problem["code"]) == (409, "illegal_move")
    assert (await desk(placed, "PUT", f"parcels/{uuid7()}", **UPS))[0] == 201
    assert (await row_of(owner, placed))[1] == "shipped"


async def test_what_must_not_be_sent_is_refused_with_its_reason(checkout, stripe, owner, desk):
    _, unpaid = await checkout.place()
    held = await a_paid_order(checkout, stripe)
    await stripe.control("POST", "reviews", {"payment_intent": held["payment_intent_id"]})
    await hear_money(checkout, a_review_event(held))
    refunded = await a_paid_order(checkout, stripe)
    await want(checkout, refunded)  # not even answered by Stripe yet
    await quiet(checkout)
    sent = await a_paid_order(checkout, stripe)
    await desk(sent, "PUT", f"parcels/{uuid7()}", **UPS)
    for placed, code in (
        (unpaid, "order_unpaid"),
        (held, "order_on_hold"),
        (refunded, "illegal_move"),
        (sent, "more_than_left"),
    ):
        status, problem = await desk(placed, "PUT", f"parcels/{uuid7()}", **UPS)
        assert (status, problem["code"], problem["status"]) == (409, code, 409)
    assert await owner.fetchval("SELECT count(*) FROM checkout.parcels") == 1


async def test_bad_requests_are_told_apart(checkout, stripe, desk):
    placed = await a_paid_order(checkout, stripe)
    for body in (
        {},
        {"carrier": ""},
        {"carrier": "UPS", "tracking_number": "<script>"},
        {"carrier": "UPS", "lines": {}},
        {"carrier": "UPS", "lines": {"0": 0}},
        {"carrier": "UPS", "lines": {"0": 2**63}},
        {"carrier": "UPS", "lines": {"00": 1}},
        {"carrier": "UPS", "lines": {"7": 1}},
        {"carrier": "UPS", "price": 1},
    ):
        status, problem = await desk(placed, "PUT", f"parcels/{uuid7()}", **body)
        assert (status, problem["code"]) == (422, "invalid_request"), body
    for state in ("shipped", "lost"):
        status, _ = await desk(placed, "PUT", f"parcels/{uuid7()}/state", state=state, reason="x")
        assert status == 422
    assert (await desk(placed, "PUT", f"parcels/{uuid7()}/state", state="delivered", reason="x"))[0] == 404
    assert (await desk({"order": {"id": str(uuid7())}}, "PUT", f"parcels/{uuid7()}", **UPS))[0] == 404
    parcel_id, other = uuid7(), await a_paid_order(checkout, stripe)
    assert (await desk(placed, "PUT", f"parcels/{parcel_id}", lines={"0": 1}, **UPS))[0] == 201
    for where, body in ((placed, {"carrier": "DHL"}), (placed, {**UPS, "lines": {"0": 2}}), (other, UPS)):
        status, problem = await desk(where, "PUT", f"parcels/{parcel_id}", **body)
        assert (status, problem["code"]) == (409, "parcel_id_taken")


# Races: with the order's lock by the actions, with the trigger whatever else writes


async def test_the_same_pieces_in_two_parcels_at_once_go_once(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe)
    outcomes = await asyncio.gather(*(ship(checkout, placed) for _ in range(5)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["MoreThanLeft"] * 4 + ["tuple"]
    assert (await owner.fetchval("SELECT sent FROM checkout.order_pieces"), len(await told(owner))) == (2, 1)


async def test_one_request_five_times_at_once_is_one_parcel_and_one_event(checkout, stripe, owner):
    placed, parcel_id = await a_paid_order(checkout, stripe), uuid7()
    outcomes = await asyncio.gather(*(ship(checkout, placed, id=parcel_id) for _ in range(5)))
    assert sorted(is_new for _, is_new in outcomes) == [False] * 4 + [True]
    assert len(await told(owner)) == 1
    other = await a_paid_order(checkout, stripe)
    with pytest.raises(ParcelIdTaken):
        await ship(checkout, other, id=parcel_id)


@pytest.mark.parametrize("wish", [{"lines": {0: 2}}, {}])
async def test_a_parcel_and_a_refund_of_the_same_pieces_at_once(checkout, stripe, owner, wish):
    """Whoever is second learns of the first: nothing is sent whose refund is under way."""
    placed = await a_paid_order(checkout, stripe)
    outcomes = await asyncio.gather(ship(checkout, placed), want(checkout, placed, **wish), return_exceptions=True)
    row = await owner.fetchrow("SELECT sent, withdrawn FROM checkout.order_pieces")
    if isinstance(outcomes[0], MoreThanLeft | OrderGivenBack):
        assert tuple(row) == (0, 2)
    else:
        assert (isinstance(outcomes[1], Refund), tuple(row)) == (True, (2, 0))


async def _both_looked_before_either_wrote(clean, placed, other: str) -> list[Any]:
    """A parcel of both pieces, and another one or a refund of them; by a program that takes no lock on the order."""
    barrier = asyncio.Barrier(2)

    async def naive(table: str) -> None:
        conn = await asyncpg.connect(clean.owner_url)
        try:
            async with conn.transaction():
                left = await conn.fetchval("SELECT ordered - sent - withdrawn FROM checkout.order_pieces")
                assert left == 2
                await barrier.wait()
                if table == "parcels":
                    await _insert_parcel(conn, placed)
                else:
                    await _insert_refund(conn, placed)
        finally:
            await conn.close()

    return await asyncio.gather(naive("parcels"), naive(other), return_exceptions=True)


async def _insert_parcel(conn, placed) -> None:
    parcel_id = uuid7()
    await conn.execute(
        "INSERT INTO checkout.parcels (id, order_id, carrier, actor) VALUES ($1, $2, 'UPS', 'x')",
        parcel_id,
        order_id_of(placed),
    )
    await conn.execute(
        "INSERT INTO checkout.parcel_lines (parcel_id, order_id, position, quantity) VALUES ($1, $2, 0, 2)",
        parcel_id,
        order_id_of(placed),
    )


async def _insert_refund(conn, placed) -> None:
    refund_id = uuid7()
    await conn.execute(
        """
        INSERT INTO checkout.refunds (id, order_id, payment_intent_id, stripe_refund_id, amount_minor, currency, state,
            reason, actor) VALUES ($1, $2, $3, $4, 100, 'usd', 'pending', 'x', 'x')
        """,
        refund_id,
        order_id_of(placed),
        placed["payment_intent_id"],
        f"re_{refund_id.hex}",
    )
    await conn.execute(
        "INSERT INTO checkout.refund_lines (refund_id, order_id, position, quantity, withdrawn)"
        " VALUES ($1, $2, 0, 2, 2)",
        refund_id,
        order_id_of(placed),
    )


@pytest.fixture
async def unguarded(owner):
    for table in ("parcel_lines", "refund_lines"):
        await owner.execute(f"ALTER TABLE checkout.{table} DISABLE TRIGGER within_order")
    yield
    for table in ("parcel_lines", "refund_lines"):
        await owner.execute(f"ALTER TABLE checkout.{table} ENABLE TRIGGER within_order")


@pytest.mark.parametrize("other", ["parcels", "refunds"])
async def test_without_the_guard_pieces_are_sent_twice_or_after_their_refund(
    checkout, stripe, clean, owner, unguarded, other
):
    placed = await a_paid_order(checkout, stripe)
    assert await _both_looked_before_either_wrote(clean, placed, other) == [None, None]
    assert await owner.fetchval("SELECT sent + withdrawn - ordered FROM checkout.order_pieces") == 2


@pytest.mark.parametrize("other", ["parcels", "refunds"])
async def test_with_the_guard_they_are_not(checkout, stripe, clean, owner, other):
    placed = await a_paid_order(checkout, stripe)
    outcomes = await _both_looked_before_either_wrote(clean, placed, other)
    [refused] = [outcome for outcome in outcomes if outcome is not None]
    assert isinstance(refused, asyncpg.CheckViolationError)
    assert refused.constraint_name == "pieces_at_most_ordered"
    assert await owner.fetchval("SELECT sent + withdrawn - ordered FROM checkout.order_pieces") == 0


# Refunds and parcels


async def test_refunding_the_rest_completes_what_was_sent_and_a_refused_refund_reopens_it(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe)
    await ship(checkout, placed, lines={0: 1})
    await want(checkout, placed, lines={0: 1})
    await quiet(checkout)
    assert (await row_of(owner, placed))[1] == "shipped"
    with pytest.raises(MoreThanLeft):
        await ship(checkout, placed)
    other = await a_paid_order(checkout, stripe)
    await stripe.post("refunds", payment_intent=other["payment_intent_id"], amount="6000")  # in the Dashboard
    await want(checkout, other, lines={0: 2})  # too much by now: Stripe refuses it
    with pytest.raises((OrderGivenBack, OrderOnHold)):  # on hold, if Stripe has refused it by now
        await ship(checkout, other)
    await quiet(checkout)
    assert (await row_of(owner, other))[1:4] == ("none", "none", "refund_failed")
    assert "refund failed" in await timeline_of(owner, other)
    left = "SELECT ordered - sent - withdrawn FROM checkout.order_pieces WHERE order_id = $1"
    assert await owner.fetchval(left, order_id_of(other)) == 2


async def test_a_parcels_arrival_ends_no_hold(checkout, stripe, owner):
    """A hold for what the order's own payments don't show lasts until there is news of those, not of a parcel."""
    placed, parcel_id = await a_paid_order(checkout, stripe), uuid7()
    await ship(checkout, placed, id=parcel_id)
    async with checkout.till.pool.worker() as conn:
        order = await store.select_order_for_update(conn, order_id_of(placed))
        await standing.hold(conn, order, Hold.PAYMENT_DIFFERS)
    async with checkout.till.pool.worker() as conn:
        await shipping.mark(conn, order_id_of(placed), parcel_id, ParcelState.DELIVERED, ("staff ada", "says UPS"))
    assert (await row_of(owner, placed))[1:4] == ("delivered", "none", "payment_differs")
