"""What checkout says about stock, and how long it is news."""

from datetime import timedelta

from services.monitor import consumers
from services.monitor.domain.facts import ShortStock
from services.monitor.store import stock as store
from shared.events import StockBack, StockEvent, StockLow, StockOut

DAY = timedelta(days=1)


def about(kind: type[StockEvent], number: int, level: str, sku: str = "TIE") -> StockEvent:
    return kind(sku=sku, number=number, level=level, available=0, low_at=3)


async def short(pool) -> ShortStock:
    async with pool.worker() as conn:
        return await store.select_short(conn, DAY)


async def hear(pool, *events: StockEvent) -> None:
    for event in events:
        async with pool.worker() as conn:
            await consumers.on_event(conn, event)


async def test_the_latest_level_counts_in_whatever_order_events_come(pool):
    await hear(pool, about(StockLow, 4, "low"), about(StockOut, 7, "out"), about(StockLow, 4, "low"))
    assert await short(pool) == ShortStock(out=("TIE",))
    await hear(pool, about(StockBack, 9, "enough"), about(StockBack, 8, "low"))
    assert await short(pool) == ShortStock()


async def test_what_is_sold_out_for_longer_than_a_day_is_no_news(pool, owner):
    await hear(pool, about(StockOut, 1, "out"), about(StockLow, 1, "low", sku="SCARF"))
    await owner.execute("UPDATE monitor.stock_levels SET changed_at = now() - interval '25 hours' WHERE sku = 'TIE'")
    assert await short(pool) == ShortStock(low=("SCARF",))


async def test_something_sold_out_becomes_an_incident_and_is_resolved_when_it_is_back(desk, pool, owner):
    from services.monitor.actions import evaluate

    await hear(pool, about(StockOut, 1, "out"))
    await evaluate(desk)
    incident = await owner.fetchrow("SELECT rule, subject, severity, summary FROM monitor.incidents")
    assert tuple(incident) == ("stock_short", "sold out", "warning", "1 SKU sold out: TIE")
    await hear(pool, about(StockBack, 2, "enough"))
    await evaluate(desk)
    assert await owner.fetchval("SELECT clear_since IS NOT NULL FROM monitor.incidents")
