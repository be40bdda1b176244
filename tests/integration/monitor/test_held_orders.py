"""An order that checkout holds is an incident until checkout releases it, in whatever order the events come."""

from datetime import UTC, datetime, timedelta

from services.monitor import consumers
from services.monitor.actions import evaluate
from services.monitor.store import orders as store
from shared.events import OrderHeld, OrderReleased
from shared.ids import uuid7
from tests.unit.notifier.letters import an_order

NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
ORDER = an_order()


def held(reason: str, minute: int) -> OrderHeld:
    return OrderHeld(order=ORDER, reason=reason, occurred_at=NOON + timedelta(minutes=minute))


def released(reason: str, minute: int) -> OrderReleased:
    return OrderReleased(order=ORDER, reason=reason, occurred_at=NOON + timedelta(minutes=minute))


async def hear(pool, *events) -> None:
    for event in events:
        async with pool.worker() as conn:
            await consumers.on_event(conn, event)


async def reasons(pool) -> list[str]:
    async with pool.worker() as conn:
        return [order.reason for order in await store.select_held(conn)]


async def test_the_latest_news_counts_in_whatever_order_events_come(pool):
    await hear(pool, held("review", 1), held("fraud_warning", 3), released("review", 2))
    assert await reasons(pool) == ["fraud_warning"]
    await hear(pool, released("fraud_warning", 5), held("refund_failed", 4))
    assert await reasons(pool) == []
    await hear(pool, held("review", 6), held("review", 6))
    assert await reasons(pool) == ["review"]


async def test_a_held_order_is_an_incident_until_it_is_settled(desk, pool, owner):
    await hear(pool, held("fraud_warning", 1))
    for _ in range(2):
        await evaluate(desk)
    [row] = await owner.fetch("SELECT rule, subject, severity, clear_since FROM monitor.incidents")
    assert tuple(row) == ("order_fraud_warning", ORDER.number, "critical", None)
    # Another reason is another incident, and the first is over.
    await hear(pool, held("refund_failed", 2))
    await evaluate(desk)
    rows = await owner.fetch("SELECT rule, clear_since IS NULL AS open FROM monitor.incidents ORDER BY rule")
    assert [tuple(row) for row in rows] == [("order_fraud_warning", False), ("order_refund_failed", True)]
    await hear(pool, released("refund_failed", 3))
    await evaluate(desk)
    assert await owner.fetchval("SELECT count(*) FROM monitor.incidents WHERE clear_since IS NULL") == 0


async def test_what_was_released_long_ago_is_forgotten_and_what_is_held_is_not(pool):
    other = OrderHeld(order=an_order(order_id=uuid7(), number="K-2"), reason="review", occurred_at=NOON)
    await hear(pool, held("review", 1), released("review", 2), other)
    async with pool.worker() as conn:
        assert await store.delete_released(conn, timedelta(days=1)) == 1
    assert await reasons(pool) == ["review"]
