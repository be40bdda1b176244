"""SQL of an import: many SKUs at a time."""

from collections.abc import Iterable, Mapping, Sequence

from services.checkout.domain import Change, Fields, Known, Row, Stock
from shared.db import Connection
from shared.money import Money


async def select_known(conn: Connection, skus: Sequence[str]) -> dict[str, Known]:
    """Those of the SKUs that the shop has."""
    rows = await conn.fetch(
        """
        SELECT v.sku, v.product_id, v.size, v.colour, v.weight_grams, v.active, s.on_hand, s.reserved, s.low_at,
               p.currencies, p.amounts
        FROM variants v JOIN stock s USING (sku) LEFT JOIN LATERAL (
            SELECT array_agg(currency ORDER BY currency) AS currencies,
                   array_agg(unit_price_minor ORDER BY currency) AS amounts FROM prices r WHERE r.sku = v.sku) p ON true
        WHERE v.sku = ANY($1::text[])
        """,
        skus,
    )
    return {
        row["sku"]: Known(
            row["product_id"],
            {name: row[name] for name in ("size", "colour", "weight_grams", "active")},
            {c: Money(amount, c) for c, amount in zip(row["currencies"] or (), row["amounts"] or (), strict=True)},
            Stock(row["sku"], row["on_hand"], row["reserved"], row["low_at"]),
        )
        for row in rows
    }


async def select_products(conn: Connection, product_ids: Sequence[str]) -> dict[str, Fields]:
    rows = await conn.fetch(
        "SELECT id, name, category, description, tax_class FROM products WHERE id = ANY($1::text[])", product_ids
    )
    return {row["id"]: {name: row[name] for name in row.keys() if name != "id"} for row in rows}  # noqa: SIM118


async def upsert_products(conn: Connection, products: Mapping[str, Fields]) -> None:
    """New ones come after those that are there."""
    if not products:
        return
    last = await conn.fetchval("SELECT coalesce(max(position), -1) FROM products")
    await conn.executemany(
        """
        INSERT INTO products (id, name, category, description, tax_class, position)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (id) DO UPDATE SET name = $2, category = $3, description = $4, tax_class = $5
        """,
        [
            (key, p["name"], p["category"], p["description"], p["tax_class"], position)
            for position, (key, p) in enumerate(products.items(), start=last + 1)
        ],
    )


async def upsert_variants(conn: Connection, variants: Iterable[tuple[Row, str, Fields]]) -> None:
    """Each with its row, its product and all its fields. New ones come after those of their product, as in the file."""
    await conn.executemany(
        """
        INSERT INTO variants (sku, product_id, size, colour, weight_grams, active, position)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (sku) DO UPDATE SET size = $3, colour = $4, weight_grams = $5, active = $6
        """,
        [
            (row.sku, product_id, v["size"], v["colour"], v["weight_grams"], v["active"], row.line)
            for row, product_id, v in variants
        ],
    )


async def insert_missing_stock(conn: Connection, skus: Sequence[str]) -> None:
    await conn.execute("INSERT INTO stock (sku) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", skus)


async def update_low_at(conn: Connection, thresholds: Sequence[tuple[str, int]]) -> None:
    await conn.executemany("UPDATE stock SET low_at = $2 WHERE sku = $1", thresholds)


async def write_prices(conn: Connection, prices: Sequence[tuple[str, str, Money | None]]) -> None:
    """Each a SKU, a currency and the price; None takes it away."""
    await conn.executemany(
        """
        INSERT INTO prices (sku, currency, unit_price_minor) VALUES ($1, $2, $3)
        ON CONFLICT (sku, currency) DO UPDATE SET unit_price_minor = $3
        """,
        [(sku, currency, price.amount_minor) for sku, currency, price in prices if price is not None],
    )
    await conn.executemany(
        "DELETE FROM prices WHERE sku = $1 AND currency = $2",
        [(sku, currency) for sku, currency, price in prices if price is None],
    )


async def select_changes_to(conn: Connection, counted: Sequence[tuple[str, int]]) -> list[Change]:
    """What brings each SKU to the number that was counted. Locks them, in sorted order, until the transaction ends."""
    wanted = dict(counted)
    rows = await conn.fetch(
        "SELECT sku, on_hand FROM stock WHERE sku = ANY($1::text[]) ORDER BY sku FOR UPDATE", sorted(wanted)
    )
    changes = [Change(row["sku"], wanted[row["sku"]] - row["on_hand"], 0) for row in rows]
    return [change for change in changes if change.on_hand]


async def select_on_sale(conn: Connection) -> list[str]:
    rows = await conn.fetch(
        "SELECT v.sku FROM variants v JOIN products p ON p.id = v.product_id WHERE v.active AND p.active ORDER BY v.sku"
    )
    return [row["sku"] for row in rows]


async def deactivate(conn: Connection, skus: Sequence[str]) -> None:
    """Takes variants off sale. Open orders have their own lines and keep their pieces."""
    await conn.execute("UPDATE variants SET active = false WHERE sku = ANY($1::text[])", skus)
