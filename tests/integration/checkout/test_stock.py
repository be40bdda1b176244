"""Stock and its journal: what can't happen, whoever tries it; adjustments; what is said when something is short."""

import asyncio
import os
import sys
from uuid import UUID

import asyncpg
import orjson
import pytest

from services.checkout.actions import stock
from services.checkout.domain import Adjustment, Change, Reason
from services.checkout.store import stock as store
from services.checkout.store.stock import Cause
from shared.ids import uuid7
from tests.integration.checkout.conftest import PATIENCE_S, SKU, an_order
from tests.integration.checkout.test_payments import a_success, hear, journal_of, staged, stock_of

OTHER = "SILK-TIE-BURG-ONE"


async def said(owner) -> list[tuple[str, str, int]]:
    rows = await owner.fetch("SELECT body FROM checkout.outbox WHERE type LIKE 'stock.%' ORDER BY staged_at")
    events = [orjson.loads(row["body"]) for row in rows]
    return [(event["type"], event["level"], event["available"]) for event in events]


async def on_hand_is(pool, sku: str, wanted: int) -> None:
    async with pool.worker() as conn:
        there = (await store.select_stock(conn, [sku]))[sku]
        await store.change_stock(conn, [Change(sku, wanted - there.on_hand, 0)], Cause(Reason.RECOUNT, "test"))


# One piece, two buyers (failure 21)


async def test_checking_first_and_taking_afterwards_sells_the_last_piece_twice(owner, database):
    """The bug, with the guard off: both look before either takes."""
    await owner.execute("CREATE TABLE IF NOT EXISTS public.naive (on_hand int, reserved int)")
    await owner.execute("INSERT INTO public.naive VALUES (1, 0)")
    other = await asyncpg.connect(database.owner_url)
    try:
        buyers = (owner, other)
        looks = [await conn.fetchval("SELECT on_hand - reserved FROM public.naive") for conn in buyers]
        for conn, available in zip(buyers, looks, strict=True):
            assert available >= 1
            await conn.execute("UPDATE public.naive SET reserved = reserved + 1")
        assert await owner.fetchval("SELECT reserved > on_hand FROM public.naive")
    finally:
        await other.close()
        await owner.execute("DROP TABLE public.naive")


async def test_two_buyers_who_both_saw_the_last_piece_do_not_both_get_it(pool, owner):
    """The guard on: the second waits for the first's row, sees what it left, and is refused."""
    await on_hand_is(pool, SKU, 1)
    seen = asyncio.Barrier(2)

    async def buy() -> str:
        try:
            async with pool.request(order_id=(order_id := uuid7())) as conn:
                assert (await store.select_stock(conn, [SKU]))[SKU].available == 1
                await seen.wait()
                await store.change_stock(conn, [Change(SKU, 0, 1)], Cause(Reason.RESERVED, "test", order_id))
                await asyncio.sleep(0.1)
        except asyncpg.CheckViolationError as error:
            return f"{error.constraint_name}: {error.detail}"
        return "taken"

    assert sorted(await asyncio.gather(buy(), buy())) == [f"{store.OVERSOLD_CONSTRAINT}: {SKU}", "taken"]
    assert await stock_of(owner) == await journal_of(owner) == (1, 1)


async def test_baskets_in_opposite_orders_wait_in_a_circle_unless_stock_is_taken_in_sorted_order(pool, checkout, owner):
    """Forty baskets of the same two SKUs, half of them written the other way round: nobody is a deadlock's victim."""
    two = [{"sku": SKU, "quantity": 1}, {"sku": OTHER, "quantity": 1}]
    baskets = [an_order(lines=two if number % 2 else two[::-1]) for number in range(40)]
    answers = await asyncio.gather(*(checkout.place(basket) for basket in baskets))
    assert {status for status, _ in answers} == {201}
    assert await stock_of(owner) == await journal_of(owner) == (60, 40)


async def test_two_statements_in_opposite_orders_are_a_deadlock(pool, owner):
    """The bug that sorting prevents: the same rows, taken one statement each in the order of the basket."""
    both_hold_one = asyncio.Barrier(2)

    async def take(first: str, second: str) -> None:
        async with pool.request(order_id=(order_id := uuid7())) as conn:
            await store.change_stock(conn, [Change(first, 0, 1)], Cause(Reason.RESERVED, "test", order_id))
            await both_hold_one.wait()
            await store.change_stock(conn, [Change(second, 0, 1)], Cause(Reason.RESERVED, "test", order_id))

    outcomes = await asyncio.gather(take(SKU, OTHER), take(OTHER, SKU), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(asyncpg.DeadlockDetectedError) == 1


# The journal


async def test_the_stock_can_not_be_changed_behind_the_journals_back_not_even_by_its_owner(pool, owner):
    for conn_statement in (
        "UPDATE checkout.stock SET on_hand = on_hand - 1",
        "UPDATE checkout.stock SET reserved = 0, changes = changes + 1",
        "UPDATE checkout.stock_journal SET on_hand_change = 5",
        "DELETE FROM checkout.stock_journal",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="journal"):
            await owner.execute(conn_statement)
    for role in (pool.worker, pool.request):
        for statement in (
            "UPDATE stock SET on_hand = 9",
            "UPDATE stock_journal SET note = 'x'",
            "DELETE FROM stock_journal",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with role() as conn:
                    await conn.execute(statement)


async def test_the_journal_has_no_gaps_and_its_sum_is_the_stock(checkout, owner):
    for _ in range(5):
        _, placed = await checkout.place(an_order(quantity=2))
    await hear(checkout, a_success(placed))
    numbers = await owner.fetch("SELECT number FROM checkout.stock_journal WHERE sku = $1 ORDER BY number", SKU)
    assert [row["number"] for row in numbers] == list(range(1, 8))
    assert await stock_of(owner) == await journal_of(owner) == (58, 8)
    latest = await owner.fetchval(
        "SELECT available_after FROM checkout.stock_journal WHERE sku = $1 ORDER BY number DESC LIMIT 1", SKU
    )
    assert latest == 50


async def test_an_order_can_not_take_or_give_back_its_pieces_twice(checkout, owner):
    """Failure 6: a late success reduced the stock again. Whatever calls it twice, the journal refuses."""
    _, placed = await checkout.place()
    await checkout.place()  # whose pieces must not be taken for the first one's
    order_id = UUID(placed["order"]["id"])
    for reason, change in ((Reason.RESERVED, Change(SKU, 0, 1)), (Reason.SOLD, Change(SKU, -1, -1))):
        with pytest.raises(asyncpg.UniqueViolationError):
            for _ in range(2):
                async with checkout.till.pool.worker() as conn:
                    await store.change_stock(conn, [change], Cause(reason, "test", order_id))
    assert await stock_of(owner) == await journal_of(owner) == (59, 1)


async def test_money_that_comes_after_the_reservation_ended_does_not_reduce_the_stock_twice(checkout, owner):
    _, placed = await checkout.place()
    await owner.execute("UPDATE checkout.orders SET expiry_due_at = now()")
    async with asyncio.timeout(PATIENCE_S):
        while await owner.fetchval("SELECT payment FROM checkout.orders") != "expired":
            await asyncio.sleep(0.05)
    await hear(checkout, a_success(placed))
    assert await stock_of(owner) == await journal_of(owner) == (60, 0)


# Adjustments


async def test_an_adjustment_can_not_take_what_is_promised_to_an_open_order(checkout, owner):
    await checkout.place(an_order(quantity=58))
    with pytest.raises(stock.BelowReserved, match="at most 2 can be taken"):
        await stock.adjust(checkout.till.pool, Adjustment(SKU, -3, Reason.DAMAGE), "test")
    before, after = await stock.adjust(checkout.till.pool, Adjustment(SKU, -2, Reason.DAMAGE, "moths"), "ops ada")
    assert (before.on_hand, after.on_hand, after.available) == (60, 58, 0)
    row = await owner.fetchrow("SELECT actor, note FROM checkout.stock_journal WHERE reason = 'damage'")
    assert tuple(row) == ("ops ada", "moths")
    audited = await owner.fetchrow("SELECT * FROM audit.log WHERE action = 'stock.adjust' ORDER BY at DESC LIMIT 1")
    assert (audited["actor"], audited["subject"], audited["reason"]) == ("ops ada", f"sku {SKU}", "damage: moths")


async def ops(database, amqp_url, *arguments: str) -> tuple[int, str]:
    env = {
        **os.environ,
        "OPS_DATABASE_URL": database.url("checkout"),
        "OPS_AMQP_URL": amqp_url,
        "OPS_ROLE_PREFIX": database.prefix,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.ops", *arguments,
        env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_the_operators_adjustment_is_a_preview_until_it_is_meant(pool, clean, amqp_url, owner):
    command = ("adjust-stock", SKU, "--by", "-2", "--reason", "damage")
    code, output = await ops(clean, amqp_url, *command)
    assert code == 0, output
    assert "Nothing was changed" in output
    assert await stock_of(owner) == (60, 0)
    code, output = await ops(clean, amqp_url, *command, "--yes")
    assert (code, await stock_of(owner)) == (0, (58, 0)), output
    code, output = await ops(clean, amqp_url, "adjust-stock", "NO-SUCH", "--by", "1", "--reason", "return", "--yes")
    assert (code, output) == (1, "ops: there is no SKU NO-SUCH\n")
    code, output = await ops(clean, amqp_url, "adjust-stock", SKU, "--by", "2", "--reason", "damage", "--yes")
    assert code == 1
    assert "damage takes pieces" in output


# What is said


async def test_each_crossing_is_announced_once_and_only_crossings_are(checkout, pool, owner):
    await on_hand_is(pool, SKU, 6)
    await owner.execute("UPDATE checkout.stock SET low_at = 3 WHERE sku = $1", SKU)
    for quantity in (1, 2, 1):  # 5, 3, 2 left
        await checkout.place(an_order(quantity=quantity))
    assert await said(owner) == [("stock.low", "low", 3)]
    _, last = await checkout.place(an_order(quantity=2))
    await hear(checkout, a_success(last))  # sold: what is available is the same as before
    assert (await said(owner))[1:] == [("stock.out", "out", 0)]
    status, problem = await checkout.place()
    assert (status, problem["code"]) == (409, "out_of_stock")
    await stock.adjust(pool, Adjustment(SKU, 1, Reason.RETURN), "test")
    await stock.adjust(pool, Adjustment(SKU, 9, Reason.DELIVERY), "test")
    assert (await said(owner))[2:] == [("stock.back", "low", 1), ("stock.back", "enough", 10)]
    assert await staged(owner, "stock.out") == 1
