"""Showing the catalogue, and filling it from a file."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from services.checkout.domain import Change, Reason
from services.checkout.schemas import ProductOut, ProductsOut, VariantOut
from services.checkout.store import catalogue as store
from services.checkout.store import stock as stock_store
from services.checkout.store.catalogue import CatalogueRow
from services.checkout.store.stock import Cause
from shared.audit import audit
from shared.db import Pool
from shared.money import Money


async def list_products(pool: Pool, currency: str) -> ProductsOut:
    """What is on sale in a currency, with prices and how many pieces can be had right now."""
    async with pool.request() as conn:
        rows = await store.select_catalogue(conn, currency)
    products = [_product(list(variants)) for _, variants in groupby(rows, key=lambda row: row.product_id)]
    return ProductsOut(currency=currency, products=products)


async def import_catalogue(pool: Pool, products: Sequence[Mapping[str, Any]], actor: str) -> int:
    """Brings products, variants and prices to what the file says; answers how many SKUs are new.

    The stock of a SKU that exists is left alone: what is on the shelf is not what a file remembers.
    """
    added, new = 0, []
    async with pool.worker() as conn:
        for position, product in enumerate(products):
            await store.upsert_product(conn, product, position)
            for place, variant in enumerate(product["variants"]):
                await store.upsert_variant(conn, product["id"], variant, place)
                for currency, amount_minor in product["prices"].items():
                    await store.upsert_price(conn, variant["sku"], Money(amount_minor, currency))
                if await stock_store.insert_stock(conn, variant["sku"], variant["low_at"]):
                    added += 1
                    if variant["on_hand"]:
                        new.append(Change(variant["sku"], variant["on_hand"], 0))
        await stock_store.change_stock(conn, new, Cause(Reason.IMPORT, actor))
        details: dict[str, object] = {"products": len(products), "new_skus": added}
        await audit(conn, actor=actor, action="catalogue.import", subject="catalogue", details=details)
    return added


def _product(variants: list[CatalogueRow]) -> ProductOut:
    first = variants[0]
    return ProductOut(
        id=first.product_id,
        name=first.name,
        category=first.category,
        description=first.description,
        variants=[
            VariantOut(
                sku=row.sku,
                size=row.size,
                colour=row.colour,
                unit_price_minor=row.unit_price_minor,
                available=row.available,
            )
            for row in variants
        ],
    )
