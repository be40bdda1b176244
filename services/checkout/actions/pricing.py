"""Pricing a basket for a destination: for an order, and for a shopper who wants to see the total first."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.checkout import domain
from services.checkout.domain import Basket, Quote, Terms
from services.checkout.store import catalogue as catalogue_store
from services.checkout.store import pricing as store
from shared.audit import audit
from shared.db import Connection, Pool


async def quote(pool: Pool, basket: Basket) -> Quote:
    """What a basket costs right now. Nothing is kept and nothing reserved. Raises what `domain.quote` raises."""
    async with pool.request() as conn:
        return await price(conn, basket)


async def price(conn: Connection, basket: Basket) -> Quote:
    """The same within the caller's transaction."""
    offers = await catalogue_store.select_offers(conn, [line.sku for line in basket.lines], basket.currency)
    lines = domain.price(basket.lines, offers, basket.currency)
    methods = await store.select_methods(conn, basket.country, basket.currency)
    if not methods and not await store.has_zones(conn):
        methods = [domain.included(basket.currency)]
    taxes = domain.rates_for(await store.select_rates(conn, basket.country), basket.region)
    return domain.quote(lines, offers, Terms(methods, taxes), basket.shipping_method)


async def replace_terms(
    pool: Pool, zones: Sequence[Mapping[str, Any]], rates: Sequence[Mapping[str, Any]], actor: str
) -> None:
    """Delivery and tax as a file says; a part that the file doesn't have is left as it is."""
    async with pool.worker() as conn:
        if zones:
            await store.replace_zones(conn, zones)
        if rates:
            await store.replace_rates(conn, rates)
        if zones or rates:
            details: dict[str, object] = {"zones": len(zones), "tax_rates": len(rates)}
            await audit(conn, actor=actor, action="pricing.import", subject="shipping and tax", details=details)
