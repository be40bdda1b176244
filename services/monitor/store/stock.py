"""How much there is of what, as checkout's events said."""

from datetime import timedelta

from services.monitor.domain.facts import ShortStock
from shared.db import Connection
from shared.events import StockEvent

LEVELS = frozenset({"enough", "low", "out"})
LONGEST_SKU = 100


async def upsert_level(conn: Connection, event: StockEvent) -> None:
    """Keeps the event if it is the latest about its SKU. A level that a newer checkout may know is left out."""
    if event.level not in LEVELS or len(event.sku) > LONGEST_SKU:
        return
    await conn.execute(
        """
        INSERT INTO stock_levels AS known (sku, number, level, available, changed_at)
        VALUES ($1, $2, $3, $4, least($5, clock_timestamp()))
        ON CONFLICT (sku) DO UPDATE SET number = $2, level = $3, available = $4, changed_at = excluded.changed_at
        WHERE known.number < $2
        """,
        event.sku,
        event.number,
        event.level,
        event.available,
        event.occurred_at,
    )


async def select_short(conn: Connection, news: timedelta) -> ShortStock:
    """What became low or sold out within `news`, the latest first."""
    rows = await conn.fetch(
        """
        SELECT sku, level FROM stock_levels WHERE level <> 'enough' AND changed_at > now() - $1::interval
        ORDER BY changed_at DESC, sku
        """,
        news,
    )
    return ShortStock(
        out=tuple(row["sku"] for row in rows if row["level"] == "out"),
        low=tuple(row["sku"] for row in rows if row["level"] == "low"),
    )
