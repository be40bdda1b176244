"""Migrations, roles and row-level security, on a real server."""

import asyncio
import secrets
from uuid import UUID

import asyncpg
import pytest

from shared import migrate, roles
from shared.audit import audit
from shared.db import open_pool
from shared.ids import uuid7
from tests.databases import new_passwords

ORDER = """
    INSERT INTO checkout.orders (id, number, email, locale, currency, total_minor, subtotal_minor, shipping_address,
                                 reserved_until, expiry_due_at)
    VALUES ($1, $2, 'a@example.com', 'en', 'usd', 100, 100, '{}', now(), now())
"""


@pytest.fixture
async def two_orders(clean, owner) -> tuple[UUID, UUID]:
    ids = uuid7(), uuid7()
    for number, order_id in enumerate(ids):
        await owner.execute(ORDER, order_id, f"K-{number}")
    return ids


@pytest.fixture
async def pool(clean):
    async with open_pool(clean.url("checkout"), "checkout", clean.prefix, 2) as opened:
        yield opened


async def test_a_query_without_its_where_clause_shows_one_customers_order(pool, two_orders):
    mine, _ = two_orders
    async with pool.request(order_id=mine) as conn:
        assert [row["id"] for row in await conn.fetch("SELECT id FROM orders")] == [mine]
    async with pool.request() as conn:
        assert await conn.fetch("SELECT id FROM orders") == []
    async with pool.worker() as conn:
        assert len(await conn.fetch("SELECT id FROM orders")) == 2


async def test_the_context_ends_with_its_transaction(pool, two_orders):
    """A pooled connection must not remember whose request it served last."""
    for _ in range(4):
        async with pool.request(order_id=two_orders[0]) as conn:
            assert len(await conn.fetch("SELECT id FROM orders")) == 1
        async with pool.request() as conn:
            assert await conn.fetch("SELECT id FROM orders") == []


async def test_every_table_with_customer_data_forces_row_security(owner, database):
    holds_none = {
        "checkout": {
            "products",
            "variants",
            "prices",
            "stock",
            "stock_journal",
            "inbox",
            "outbox",
            "tax_rates",
            "shipping_zones",
            "shipping_countries",
            "shipping_methods",
            "shipping_rates",
            "shipping_free_above",
        },
        "webhooks": {"inbox", "outbox", "stripe_event_ids", "keyrings", "secret_uses"}
        | {"leaders", "backfill", "stripe_reads", "resyncs", "event_hours", "endpoint_watch"}
        | {"stripe_senders", "stripe_sender_list", "bans", "threats"},  # addresses of machines, not of customers
        "notifier": {"inbox", "outbox"},
    }
    rows = await owner.fetch(
        """
        SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
            AND n.nspname = ANY($1::text[])
        """,
        list(holds_none),
    )
    assert {(row["schema"], row["name"]) for row in rows} <= {
        (schema, name) for schema, names in holds_none.items() for name in names
    }


async def test_every_table_says_what_it_is(owner, database):
    rows = await owner.fetch(
        """
        SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname = ANY($1::text[])
            AND obj_description(c.oid, 'pg_class') IS NULL
        """,
        list(roles.SCHEMAS),
    )
    assert [row["name"] for row in rows] == []


async def test_no_service_reads_the_schema_of_another(database):
    for service in roles.SERVICES:
        conn = await asyncpg.connect(database.url(service))
        try:
            for other in {*roles.SERVICES} - {service}:
                for role in (None, "worker", "request"):
                    if role:
                        await conn.execute(f"SET ROLE {database.prefix}_{service}_{role}")
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await conn.execute(f"SELECT 1 FROM {other}.outbox")
                    await conn.execute("RESET ROLE")
        finally:
            await conn.close()


async def test_the_login_itself_may_do_nothing(database):
    conn = await asyncpg.connect(database.url("checkout"))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute("SELECT 1 FROM checkout.orders")
    finally:
        await conn.close()


async def test_the_auditor_reads_everything_and_changes_nothing(database, two_orders):
    conn = await asyncpg.connect(database.auditor_url)
    try:
        assert await conn.fetchval("SELECT count(*) FROM checkout.orders") == 2
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute("UPDATE checkout.orders SET hold = 'none'")
    finally:
        await conn.close()


async def test_an_audit_row_lives_and_dies_with_its_transaction_and_is_never_changed(pool, owner):
    subject = f"test {secrets.token_hex(4)}"
    async with pool.worker() as conn:
        await audit(conn, actor="test", action="test.kept", subject=subject)
    with pytest.raises(RuntimeError):
        async with pool.worker() as conn:
            await audit(conn, actor="test", action="test.lost", subject=subject)
            raise RuntimeError
    assert [r["action"] for r in await owner.fetch("SELECT action FROM audit.log WHERE subject = $1", subject)] == [
        "test.kept"
    ]
    for change in ("UPDATE audit.log SET actor = 'x'", "DELETE FROM audit.log", "TRUNCATE audit.log"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute(change)
    async with pool.worker() as conn:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.fetch("SELECT 1 FROM audit.log")


@pytest.fixture
async def empty(backing):
    """A database and a role prefix of this test's own."""
    name, prefix = f"m{secrets.token_hex(4)}", f"m{secrets.token_hex(4)}"
    url = await asyncio.to_thread(backing.create_database, name)
    yield url, prefix
    await asyncio.to_thread(backing.drop_database, name)
    conn = await asyncpg.connect(backing.database_url)
    await roles.drop_roles(conn, prefix)
    await conn.close()


async def test_migrating_twice_changes_nothing_and_two_at_once_are_harmless(empty):
    url, prefix = empty
    done = await asyncio.gather(*(migrate.migrate(url, prefix, new_passwords(prefix)) for _ in range(3)))
    assert sorted(done) == [0, 0, len(migrate.migrations())]


async def test_a_migration_that_was_edited_is_noticed(empty):
    url, prefix = empty
    await migrate.migrate(url, prefix, {})
    conn = await asyncpg.connect(url)
    await conn.execute("UPDATE audit.migrations SET checksum = 'x' WHERE schema = 'checkout'")
    await conn.close()
    with pytest.raises(migrate.ChangedAfterwards, match="edited"):
        await migrate.migrate(url, prefix, {})


async def test_without_createrole_the_command_says_what_to_run(empty):
    url, prefix = empty
    conn = await asyncpg.connect(url)
    try:
        await conn.execute(f"CREATE ROLE {prefix}_poor NOLOGIN")
        await conn.execute(f"SET ROLE {prefix}_poor")
        with pytest.raises(roles.RolesMissing, match=f'CREATE ROLE "{prefix}_checkout_request"'):
            await roles.ensure_roles(conn, prefix)
        await conn.execute("RESET ROLE")
        await conn.execute(f"DROP ROLE {prefix}_poor")
    finally:
        await conn.close()
