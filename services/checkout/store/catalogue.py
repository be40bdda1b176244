"""SQL of products, variants, prices and stock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.checkout.domain import Offer
from shared.db import Connection
from shared.ids import uuid7
from shared.money import Money


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """A variant on sale, with its product and how many pieces can be had."""

    product_id: str
    name: str
    category: str
    description: str
    sku: str
    size: str
    colour: str
    unit_price_minor: int
    available: int


async def select_catalogue(conn: Connection, currency: str) -> list[CatalogueRow]:
    rows = await conn.fetch(
        """
        SELECT p.id AS product_id, p.name, p.category, p.description, v.sku, v.size, v.colour,
               r.unit_price_minor, s.on_hand - s.reserved AS available
        FROM products p JOIN variants v ON v.product_id = p.id
        JOIN prices r ON r.sku = v.sku AND r.currency = $1 JOIN stock s ON s.sku = v.sku
        WHERE p.active ORDER BY p.position, p.id, v.position, v.sku
        """,
        currency,
    )
    return [CatalogueRow(**row) for row in rows]


async def select_offers(conn: Connection, skus: Sequence[str], currency: str) -> Mapping[str, Offer]:
    """Those of the SKUs that are sold in this currency."""
    rows = await conn.fetch(
        """
        SELECT v.sku, p.name, v.size, v.colour, r.unit_price_minor
        FROM variants v JOIN products p ON p.id = v.product_id AND p.active
        JOIN prices r ON r.sku = v.sku AND r.currency = $2 WHERE v.sku = ANY($1::text[])
        """,
        skus,
        currency,
    )
    return {
        row["sku"]: Offer(
            row["sku"], row["name"], f"{row['colour']}, {row['size']}", Money(row["unit_price_minor"], currency)
        )
        for row in rows
    }


async def reserve(conn: Connection, sku: str, quantity: int) -> bool:
    """Promises pieces to an order, if so many are left."""
    status = await conn.execute(
        "UPDATE stock SET reserved = reserved + $2 WHERE sku = $1 AND on_hand - reserved >= $2", sku, quantity
    )
    return status == "UPDATE 1"


async def release(conn: Connection, sku: str, quantity: int) -> None:
    await conn.execute("UPDATE stock SET reserved = reserved - $2 WHERE sku = $1", sku, quantity)


async def sell(conn: Connection, sku: str, quantity: int) -> None:
    await conn.execute(
        "UPDATE stock SET on_hand = on_hand - $2, reserved = reserved - $2 WHERE sku = $1", sku, quantity
    )


async def restock(conn: Connection, sku: str, quantity: int) -> None:
    await conn.execute("UPDATE stock SET on_hand = on_hand + $2 WHERE sku = $1", sku, quantity)


async def insert_stock_changes(
    conn: Connection, reason: str, order_id: UUID | None, changes: Sequence[tuple[str, int, int]]
) -> None:
    """Journals changes of (sku, on hand, reserved)."""
    await conn.executemany(
        """
        INSERT INTO stock_journal (id, sku, on_hand_change, reserved_change, reason, order_id)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        [(uuid7(), sku, on_hand, reserved, reason, order_id) for sku, on_hand, reserved in changes],
    )


async def upsert_product(conn: Connection, product: Mapping[str, object], position: int) -> None:
    await conn.execute(
        """
        INSERT INTO products (id, name, category, description, position) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (id) DO UPDATE SET name = $2, category = $3, description = $4, position = $5
        """,
        product["id"],
        product["name"],
        product["category"],
        product["description"],
        position,
    )


async def upsert_variant(conn: Connection, product_id: str, variant: Mapping[str, object], position: int) -> None:
    await conn.execute(
        """
        INSERT INTO variants (sku, product_id, size, colour, position) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (sku) DO UPDATE SET product_id = $2, size = $3, colour = $4, position = $5
        """,
        variant["sku"],
        product_id,
        variant["size"],
        variant["colour"],
        position,
    )


async def upsert_price(conn: Connection, sku: str, price: Money) -> None:
    await conn.execute(
        """
        INSERT INTO prices (sku, currency, unit_price_minor) VALUES ($1, $2, $3)
        ON CONFLICT (sku, currency) DO UPDATE SET unit_price_minor = $3
        """,
        sku,
        price.currency,
        price.amount_minor,
    )


async def insert_stock(conn: Connection, sku: str, on_hand: int) -> bool:
    """Puts a new SKU on the shelf; false when it has stock already, which an import must not overwrite."""
    status = await conn.execute("INSERT INTO stock (sku, on_hand) VALUES ($1, $2) ON CONFLICT DO NOTHING", sku, on_hand)
    return status == "INSERT 0 1"
