"""SQL of delivery and tax: what holds for a destination, and its replacement by what a file says."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.checkout.domain import Method, Rate, RegionalRate
from shared.db import Connection
from shared.money import Money


async def select_methods(conn: Connection, country: str, currency: str) -> list[Method]:
    """The ways of delivery to a country in a currency, the default first."""
    rows = await conn.fetch(
        """
        SELECT m.id, m.name, m.basis, m.tax_class, r.starts_at, r.price_minor, f.subtotal_minor AS free_from
        FROM shipping_methods m
        JOIN shipping_rates r ON r.zone_id = m.zone_id AND r.method_id = m.id AND r.currency = $2
        LEFT JOIN shipping_free_above f ON f.zone_id = m.zone_id AND f.method_id = m.id AND f.currency = $2
        WHERE m.zone_id = (
            SELECT zone_id FROM shipping_countries WHERE country IN ($1, '*') ORDER BY country = '*' LIMIT 1)
        ORDER BY m.position, m.id, r.starts_at
        """,
        country,
        currency,
    )
    methods: dict[str, Method] = {}
    for row in rows:
        free_from = None if row["free_from"] is None else Money(row["free_from"], currency)
        method = Method(row["id"], row["name"], row["basis"], row["tax_class"], {}, free_from)
        rates = dict(methods.setdefault(row["id"], method).rates)
        rates[row["starts_at"]] = Money(row["price_minor"], currency)
        methods[row["id"]] = Method(method.id, method.name, method.basis, method.tax_class, rates, free_from)
    return list(methods.values())


async def has_zones(conn: Connection) -> bool:
    return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM shipping_zones)"))


async def select_rates(conn: Connection, country: str) -> list[RegionalRate]:
    rows = await conn.fetch("SELECT region, tax_class, millionths, included FROM tax_rates WHERE country = $1", country)
    return [RegionalRate(r["region"], r["tax_class"], Rate(r["millionths"], r["included"])) for r in rows]


async def replace_zones(conn: Connection, zones: Sequence[Mapping[str, Any]]) -> None:
    """The zones of a file instead of those that were there; orders keep the names and amounts they have."""
    for table in ("shipping_free_above", "shipping_rates", "shipping_methods", "shipping_countries", "shipping_zones"):
        await conn.execute(f"DELETE FROM {table}")  # noqa: S608 (constants)
    for zone in zones:
        await conn.execute("INSERT INTO shipping_zones (id, name) VALUES ($1, $2)", zone["id"], zone["name"])
        await conn.executemany(
            "INSERT INTO shipping_countries (country, zone_id) VALUES ($1, $2)",
            [(country, zone["id"]) for country in zone["countries"]],
        )
        for position, method in enumerate(zone["methods"]):
            await _insert_method(conn, zone["id"], method, position)


async def _insert_method(conn: Connection, zone_id: str, method: Mapping[str, Any], position: int) -> None:
    await conn.execute(
        "INSERT INTO shipping_methods (zone_id, id, name, position, basis, tax_class) VALUES ($1, $2, $3, $4, $5, $6)",
        zone_id,
        method["id"],
        method["name"],
        position,
        method["basis"],
        method["tax_class"],
    )
    await conn.executemany(
        "INSERT INTO shipping_rates (zone_id, method_id, currency, starts_at, price_minor) VALUES ($1, $2, $3, $4, $5)",
        [(zone_id, method["id"], currency, *rate) for currency, rates in method["rates"].items() for rate in rates],
    )
    await conn.executemany(
        "INSERT INTO shipping_free_above (zone_id, method_id, currency, subtotal_minor) VALUES ($1, $2, $3, $4)",
        [(zone_id, method["id"], currency, amount) for currency, amount in method["free_from"].items()],
    )


async def replace_rates(conn: Connection, rates: Sequence[Mapping[str, Any]]) -> None:
    """The tax rates of a file instead of those that were there."""
    await conn.execute("DELETE FROM tax_rates")
    await conn.executemany(
        "INSERT INTO tax_rates (country, region, tax_class, millionths, included) VALUES ($1, $2, $3, $4, $5)",
        [(r["country"], r["region"], r["tax_class"], r["millionths"], r["included"]) for r in rates],
    )
