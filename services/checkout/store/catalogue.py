"""SQL of products, variants and prices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.checkout.domain import Offer
from shared.db import Connection
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
        WHERE p.active AND v.active ORDER BY p.position, p.id, v.position, v.sku
        """,
        currency,
    )
    return [CatalogueRow(**row) for row in rows]


async def select_offers(conn: Connection, skus: Sequence[str], currency: str) -> Mapping[str, Offer]:
    """Those of the SKUs that are sold in this currency."""
    rows = await conn.fetch(
        """
        SELECT v.sku, p.name, v.size, v.colour, r.unit_price_minor, p.tax_class, v.weight_grams
        FROM variants v JOIN products p ON p.id = v.product_id AND p.active
        JOIN prices r ON r.sku = v.sku AND r.currency = $2 WHERE v.active AND v.sku = ANY($1::text[])
        """,
        skus,
        currency,
    )
    return {
        row["sku"]: Offer(
            row["sku"],
            row["name"],
            f"{row['colour']}, {row['size']}",
            Money(row["unit_price_minor"], currency),
            row["tax_class"],
            row["weight_grams"],
        )
        for row in rows
    }


async def upsert_product(conn: Connection, product: Mapping[str, object], position: int) -> None:
    await conn.execute(
        """
        INSERT INTO products (id, name, category, description, position, tax_class) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (id) DO UPDATE SET name = $2, category = $3, description = $4, position = $5, tax_class = $6
        """,
        product["id"],
        product["name"],
        product["category"],
        product["description"],
        position,
        product["tax_class"],
    )


async def upsert_variant(conn: Connection, product_id: str, variant: Mapping[str, object], position: int) -> None:
    await conn.execute(
        """
        INSERT INTO variants (sku, product_id, size, colour, position, weight_grams) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (sku) DO UPDATE SET product_id = $2, size = $3, colour = $4, position = $5, weight_grams = $6
        """,
        variant["sku"],
        product_id,
        variant["size"],
        variant["colour"],
        position,
        variant["weight_grams"],
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
