"""What a refund puts back on the shelf, and what becomes of it when the refund fails afterwards."""

from uuid import UUID

import pytest

from services.checkout.actions import refunds, releasing, shipping
from services.checkout.domain import MoreThanLeft, ParcelState, ParcelWanted, RefundWanted, Tally
from services.checkout.store import parcels as parcel_store
from shared.ids import uuid7
from tests.integration.checkout.money import (
    a_paid_order,
    a_refund_event,
    given_back,
    hear_money,
    order_id_of,
    quiet,
    row_of,
    want,
)
from tests.integration.checkout.test_payments import journal_of, stock_of

FAILS_LATER = "pm_card_refundFail"


async def until_it_fails(checkout, stripe, placed) -> None:
    await stripe.control("POST", "clock/advance", {"seconds": 30 * 86_400})
    await hear_money(checkout, a_refund_event(placed))
    await quiet(checkout)


async def release(checkout, placed) -> None:
    """A person has dealt with the failed refund."""
    async with checkout.till.pool.worker() as conn:
        await releasing.acknowledge(conn, order_id_of(placed), "staff ada", "he will keep the other one")


async def ship(checkout, placed, lines: dict[int, int] | None = None) -> UUID:
    wanted = ParcelWanted(uuid7(), "UPS", None, lines)
    async with checkout.till.pool.worker() as conn:
        await shipping.ship(conn, order_id_of(placed), wanted, "staff ada")
    return wanted.id


async def tally_of(checkout, placed) -> Tally:
    async with checkout.till.pool.worker() as conn:
        [tally] = await parcel_store.select_tallies(conn, order_id_of(placed))
    return tally


async def test_pieces_go_on_the_shelf_once_however_often_their_refund_is_made(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe, card=FAILS_LATER)
    assert await stock_of(owner) == (58, 0)
    for _ in range(3):
        await want(checkout, placed, restock=True)
        await quiet(checkout)
        assert await stock_of(owner) == await journal_of(owner) == (60, 0)
        await until_it_fails(checkout, stripe, placed)
        assert await stock_of(owner) == await journal_of(owner) == (60, 0)
        assert await row_of(owner, placed) == ("paid", "cancelled", "none", "refund_failed", 0)
    assert await given_back(stripe, placed) == 0


async def test_what_is_for_sale_again_is_not_sent_though_its_refund_failed(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe, quantity=3, card=FAILS_LATER)
    await want(checkout, placed, lines={0: 1}, restock=True)
    await quiet(checkout)
    await until_it_fails(checkout, stripe, placed)
    await release(checkout, placed)
    with pytest.raises(MoreThanLeft):
        await ship(checkout, placed, {0: 3})
    await ship(checkout, placed)
    assert (await row_of(owner, placed))[1] == "shipped"
    assert await stock_of(owner) == (58, 0)


async def test_a_refund_of_more_pieces_puts_only_the_others_there(checkout, stripe, owner):
    placed = await a_paid_order(checkout, stripe, quantity=3, card=FAILS_LATER)
    for pieces in (1, 2, 3):
        await want(checkout, placed, lines={0: pieces}, restock=True)
        await quiet(checkout)
        assert await stock_of(owner) == await journal_of(owner) == (57 + pieces, 0)
        tally = await tally_of(checkout, placed)
        assert (tally.refunded, tally.left) == (pieces, 3 - pieces)
        await until_it_fails(checkout, stripe, placed)


async def test_what_came_back_is_sent_again_once_its_refund_has_failed(checkout, stripe, owner):
    """Three parcels of a piece each; two pieces are refunded while they are away, and all come back."""
    placed = await a_paid_order(checkout, stripe, quantity=3, card=FAILS_LATER)
    parcels = [await ship(checkout, placed, {0: 1}) for _ in range(3)]
    await want(checkout, placed, lines={0: 2})
    await quiet(checkout)
    for parcel_id in parcels:
        async with checkout.till.pool.worker() as conn:
            back = (ParcelState.RETURNED, ("staff ada", None))
            await shipping.mark(conn, order_id_of(placed), parcel_id, *back)
    assert await tally_of(checkout, placed) == Tally(3, sent=0, refunded=2, withdrawn=2)
    await until_it_fails(checkout, stripe, placed)
    assert await tally_of(checkout, placed) == Tally(3, sent=0, refunded=0, withdrawn=0)
    await release(checkout, placed)
    await ship(checkout, placed, {0: 3})
    await want(checkout, placed, lines={0: 1})  # one more is refunded, and it is away
    assert await tally_of(checkout, placed) == Tally(3, sent=3, refunded=1, withdrawn=0)


async def test_what_came_back_is_sent_again_once_stripe_has_refused_its_refund(checkout, stripe, owner):
    """It came back while Stripe had not yet answered."""
    placed = await a_paid_order(checkout, stripe)
    parcel_id = await ship(checkout, placed)
    async with checkout.till.pool.worker() as conn:
        await refunds.request(conn, order_id_of(placed), RefundWanted(uuid7(), "too small", lines={0: 1}), "staff ada")
        await conn.execute("UPDATE payment_attempts SET lease_until = 'infinity' WHERE operation = 'create_refund'")
    async with checkout.till.pool.worker() as conn:
        await shipping.mark(conn, order_id_of(placed), parcel_id, ParcelState.RETURNED, ("staff ada", None))
    assert await tally_of(checkout, placed) == Tally(2, sent=0, refunded=1, withdrawn=1)
    await stripe.post("refunds", payment_intent=placed["payment_intent_id"], amount="12000")  # by somebody else
    await owner.execute("UPDATE checkout.payment_attempts SET lease_until = now() WHERE operation = 'create_refund'")
    await quiet(checkout)
    assert (await row_of(owner, placed))[3] == "refund_failed"
    assert await tally_of(checkout, placed) == Tally(2, sent=0, refunded=0, withdrawn=0)
    await release(checkout, placed)
    await ship(checkout, placed, {0: 2})
