"""A dispute is an incident until it was answered, in whatever order the events come."""

from datetime import UTC, datetime, timedelta

from services.monitor.actions import evaluate
from services.monitor.store import disputes as store
from shared.events import OrderDisputed
from shared.ids import uuid7
from tests.integration.monitor.test_held_orders import NOON, ORDER, hear
from tests.unit.notifier.letters import an_order

SOON = datetime.now(UTC) + timedelta(days=1)


def disputed(minute: int, dispute: str = "open", due_at: datetime | None = None, order=ORDER) -> OrderDisputed:
    return OrderDisputed(order=order, dispute=dispute, due_at=due_at, occurred_at=NOON + timedelta(minutes=minute))


async def due(pool) -> list[str]:
    async with pool.worker() as conn:
        return [each.number for each in await store.select_due(conn)]


async def test_the_latest_news_counts_in_whatever_order_events_come(pool):
    await hear(pool, disputed(2), disputed(1, due_at=SOON))
    assert await due(pool) == []
    await hear(pool, disputed(3, "inquiry", SOON), disputed(3, "inquiry", SOON))
    assert await due(pool) == [ORDER.number]


async def test_a_dispute_is_an_incident_until_it_was_answered(desk, pool, owner):
    await hear(pool, disputed(1, due_at=SOON))
    await evaluate(desk)
    [row] = await owner.fetch("SELECT rule, subject, severity, clear_since FROM monitor.incidents")
    assert tuple(row) == ("dispute_unanswered", ORDER.number, "critical", None)
    await hear(pool, disputed(2))
    await evaluate(desk)
    assert await owner.fetchval("SELECT count(*) FROM monitor.incidents WHERE clear_since IS NULL") == 0


async def test_what_was_settled_long_ago_is_forgotten_and_what_waits_is_not(pool):
    other = an_order(order_id=uuid7(), number="K-2")
    await hear(pool, disputed(1, "won"), disputed(1, due_at=NOON, order=other))
    async with pool.worker() as conn:
        assert await store.delete_settled(conn, timedelta(days=1)) == 1
    assert await due(pool) == ["K-2"]
