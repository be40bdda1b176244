"""Migrations, roles and row-level security, on a real server."""

import asyncio
import secrets
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import pytest

from services.monitor.store import invariants
from shared import migrate, roles
from shared.audit import audit
from shared.db import is_database_away, is_in_the_way, open_pool
from shared.ids import uuid7
from tests.databases import Database, new_passwords

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


async def test_a_migration_is_in_the_way_of_who_reads_its_table_once(pool, clean, owner, two_orders):
    """asyncpg has the old columns in its prepared statement, and inside a transaction it can't prepare it anew."""
    async with pool.request(order_id=two_orders[0]) as conn:
        await conn.fetch("SELECT * FROM orders")
    await owner.execute("ALTER TABLE checkout.orders ADD COLUMN new_here integer")
    try:
        with pytest.raises(asyncpg.InvalidCachedStatementError) as caught:
            async with pool.request(order_id=two_orders[0]) as conn:
                await conn.fetch("SELECT * FROM orders")
        assert is_in_the_way(caught.value)
        async with pool.request(order_id=two_orders[0]) as conn:
            assert len(await conn.fetch("SELECT * FROM orders")) == 1
    finally:
        await owner.execute("ALTER TABLE checkout.orders DROP COLUMN new_here")


async def test_a_server_that_may_not_be_written_to_is_an_outage_and_its_connection_is_given_up(pool, clean, owner):
    """As after a failover, when what we are connected to is the primary no more."""
    query = "SELECT pg_backend_pid()"
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError) as caught:
        async with pool.worker() as conn:
            old = await conn.fetchval(query)
            await conn.execute("SET TRANSACTION READ ONLY")
            await audit(conn, actor="job", action="try", subject="order 1")
    assert is_database_away(caught.value)
    async with pool.worker() as conn:
        assert await conn.fetchval(query) != old
    assert await pool.is_reachable()
    name = await owner.fetchval("SELECT current_database()")
    await owner.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    try:
        async with open_pool(clean.url("checkout"), "checkout", clean.prefix, 1) as read_only:
            assert not await read_only.is_reachable()
    finally:
        await owner.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')


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
            "leaders",
        },
        "webhooks": {"inbox", "outbox", "stripe_event_ids", "keyrings", "secret_uses"}
        | {"leaders", "backfill", "stripe_reads", "resyncs", "event_hours", "endpoint_watch", "wanted_sweeps"}
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


async def test_a_login_that_was_cut_off_from_its_roles_gets_them_by_the_next_migration(empty):
    url, prefix = empty
    conn = await asyncpg.connect(url)
    try:
        await roles.ensure_roles(conn, prefix)
        await conn.execute(f"REVOKE {prefix}_checkout_worker FROM {prefix}_checkout")
        assert [await roles.ensure_roles(conn, prefix) for _ in range(2)] == [1, 0]
        may_take = "SELECT pg_has_role($1, $2, 'MEMBER')"
        assert await conn.fetchval(may_take, f"{prefix}_checkout", f"{prefix}_checkout_worker")
    finally:
        await conn.close()


@asynccontextmanager
async def connected(url):
    conn = await asyncpg.connect(url)
    yield conn
    await conn.close()


async def test_a_migration_that_waits_for_a_table_holds_up_nobody_else(empty, monkeypatch):
    url, prefix = empty
    monkeypatch.setattr(migrate, "LONGEST_WAIT_MS", 100)
    monkeypatch.setattr(migrate, "STEP_BACK_S", 0.1)
    said: list[str] = []
    notifier_migrations = sorted((migrate.ROOT / "services/notifier/migrations").glob("*.sql"))
    async with connected(url) as owner, connected(url) as reader, connected(url) as writer:
        await roles.ensure_roles(owner, prefix)
        await migrate._prepare(owner, prefix)
        first, second = (migrate.Migration("notifier", path) for path in notifier_migrations[:2])
        await migrate._run(owner, first, prefix)
        async with reader.transaction():
            await reader.execute("SELECT FROM notifier.letters")
            migrating = asyncio.create_task(migrate._run_patiently(owner, second, prefix, said.append))
            async with asyncio.timeout(20):
                while not said:
                    await asyncio.sleep(0.02)
            await writer.execute("UPDATE notifier.letters SET reason = NULL", timeout=20)
            assert not migrating.done()
        await migrating

    assert "0002_parcels_and_refunds.sql steps back: canceling statement due to lock timeout" in said[0]


# A shop as the first version left it: 10 ties came in, an order is open, one is paid, one was paid too late.
OLD_SHOP = """
    INSERT INTO checkout.products (id, name, category) VALUES ('tie', 'Tie', 'ties');
    INSERT INTO checkout.variants (sku, product_id, size, colour) VALUES ('TIE', 'tie', 'one', 'navy');
    INSERT INTO checkout.stock (sku, on_hand, reserved) VALUES ('TIE', 8, 2);
    INSERT INTO checkout.orders (id, number, email, locale, currency, total_minor, shipping_address, payment, hold,
                                 reserved_until, expiry_due_at, paid_at)
        SELECT id::uuid, number, 'a@example.com', 'en', 'usd', 1000, '{}', payment, hold, now(), now(), paid_at
        FROM (VALUES ('00000000-0000-7000-8000-000000000001', 'K-1', 'awaiting', 'none', NULL),
                     ('00000000-0000-7000-8000-000000000002', 'K-2', 'paid', 'none', now()),
                     ('00000000-0000-7000-8000-000000000003', 'K-3', 'expired', 'paid_too_late', NULL))
            AS o (id, number, payment, hold, paid_at);
    INSERT INTO checkout.order_lines (order_id, position, sku, name, variant, quantity, unit_price_minor)
        SELECT id, 0, 'TIE', 'Tie', 'navy', 2, 500 FROM checkout.orders;
    INSERT INTO checkout.stock_journal (id, sku, on_hand_change, reserved_change, reason) VALUES
        (gen_random_uuid(), 'TIE', 10, 0, 'import');
    INSERT INTO checkout.stock_journal (id, sku, on_hand_change, reserved_change, reason, order_id)
        SELECT gen_random_uuid(), 'TIE', 0, 2, 'reserved', id FROM checkout.orders;
    INSERT INTO checkout.stock_journal (id, sku, on_hand_change, reserved_change, reason, order_id)
        SELECT gen_random_uuid(), 'TIE', CASE payment WHEN 'paid' THEN -2 ELSE 0 END, -2,
               CASE payment WHEN 'paid' THEN 'sold' ELSE 'released' END, id
        FROM checkout.orders WHERE payment <> 'awaiting';
    INSERT INTO checkout.payments (payment_intent_id, order_id, status, currency, amount_minor, amount_received_minor,
                                   settles)
        SELECT 'pi_' || number, id, 'succeeded', 'usd', 1000, 1000, payment = 'paid'
        FROM checkout.orders WHERE payment <> 'awaiting';
"""


async def test_a_shop_that_is_open_since_the_first_version_is_migrated_with_all_it_has_sold(empty):
    url, prefix = empty
    passwords = new_passwords(prefix)
    conn = await asyncpg.connect(url)
    try:
        await roles.ensure_roles(conn, prefix)
        await migrate._prepare(conn, prefix)
        for migration in migrate.migrations():
            if migration.path.name.startswith("0001_"):
                await migrate._run(conn, migration, prefix)
        await conn.execute(OLD_SHOP)
        await migrate.migrate(url, prefix, passwords)
        assert await invariants.ask_all(Database(url, prefix, passwords).auditor_url) == invariants.Answers()
        orders = await conn.fetch("SELECT subtotal_minor, refunded_minor, hold FROM checkout.orders ORDER BY number")
        assert [tuple(row) for row in orders] == [(1000, 0, "none"), (1000, 0, "none"), (1000, 0, "paid_too_late")]
        journal = await conn.fetch("SELECT number, available_after FROM checkout.stock_journal ORDER BY number")
        assert [row["number"] for row in journal] == [1, 2, 3, 4, 5, 6]
        assert journal[-1]["available_after"] == 6
        books = await conn.fetch(
            "SELECT account, sum(amount_minor)::int AS n FROM checkout.ledger_entries GROUP BY account"
        )
        assert dict(books) == {"stripe_pending": 2000, "sales": -1000, "customer_credit": -1000}
    finally:
        await conn.close()
