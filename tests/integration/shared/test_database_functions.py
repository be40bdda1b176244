"""Functions of the database that act with more rights than their caller, and whose tables they take for ours."""

import asyncpg
import pytest

from shared import roles
from shared.ids import uuid7

# What somebody who got to run SQL as checkout's request role would try: a table `stock` of his own, before ours.
TRAP = """
    CREATE TEMPORARY TABLE stock (sku text, on_hand bigint, reserved bigint, changes bigint);
    CREATE TEMPORARY TABLE loot (whose text);
    GRANT ALL ON pg_temp.stock, pg_temp.loot TO PUBLIC;
    INSERT INTO pg_temp.stock VALUES ('TIE', 100, 0, 1000);
    CREATE FUNCTION pg_temp.steal() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO pg_temp.loot VALUES (current_user); RETURN NEW; END $$;
    CREATE TRIGGER steal BEFORE UPDATE ON pg_temp.stock FOR EACH ROW EXECUTE FUNCTION pg_temp.steal();
"""
GOODS = """
    INSERT INTO checkout.products (id, name, category) VALUES ('tie', 'Tie', 'ties');
    INSERT INTO checkout.variants (sku, product_id, size, colour) VALUES ('TIE', 'tie', 'one', 'navy');
    INSERT INTO checkout.stock (sku) VALUES ('TIE');
    INSERT INTO checkout.stock_journal (id, sku, on_hand_change, reserved_change, reason)
        VALUES (gen_random_uuid(), 'TIE', 10, 0, 'import');
"""


@pytest.fixture
async def all_undone(clean, owner):
    """Whatever the owner's connection does is rolled back."""
    undone = owner.transaction()
    await undone.start()
    yield
    await undone.rollback()


@pytest.mark.parametrize("path", ["checkout, pg_temp", "checkout"])
async def test_a_temporary_table_is_taken_for_ours_unless_the_path_ends_with_pg_temp(clean, owner, all_undone, path):
    request = f"{clean.prefix}_checkout_request"
    name = await owner.fetchval("SELECT current_database()")
    await owner.execute(GOODS)
    await owner.execute(f'GRANT TEMPORARY ON DATABASE "{name}" TO {request}')  # the guard before this one
    if path == "checkout":
        await owner.execute("ALTER FUNCTION checkout.apply_to_stock() SET search_path = checkout")
    await owner.execute(f"SET LOCAL ROLE {request}")
    await owner.execute(TRAP)
    order_id = uuid7()
    await owner.execute("SELECT set_config('kct.order_id', $1, true)", str(order_id))
    await owner.execute(
        "INSERT INTO checkout.stock_journal (id, sku, on_hand_change, reserved_change, reason, order_id)"
        " VALUES ($1, 'TIE', 0, 5, 'reserved', $2)",
        uuid7(),
        order_id,
    )
    stolen = [row["whose"] for row in await owner.fetch("SELECT whose FROM pg_temp.loot")]
    assert stolen == ([] if path == "checkout, pg_temp" else [await owner.fetchval("SELECT session_user::text")])
    reserved = await owner.fetchval("SELECT reserved FROM checkout.stock")
    assert reserved == (5 if path == "checkout, pg_temp" else 0)


async def test_no_service_makes_temporary_tables(database):
    for login in (*roles.SERVICES, "auditor"):
        conn = await asyncpg.connect(database.url(login))
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute("CREATE TEMPORARY TABLE stock (sku text)")
        finally:
            await conn.close()


async def test_every_function_with_more_rights_or_a_path_of_its_own_looks_for_temporary_tables_last(database, owner):
    rows = await owner.fetch(
        """
        SELECT p.oid::regprocedure::text AS name,
               (SELECT option FROM unnest(p.proconfig) option WHERE option LIKE 'search_path=%') AS path
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = ANY($1::text[]) AND (p.prosecdef OR array_to_string(p.proconfig, ' ') LIKE '%search_path=%')
        """,
        list(roles.SCHEMAS),
    )
    assert len(rows) >= 10
    assert [row["name"] for row in rows if not (row["path"] or "").endswith(", pg_temp")] == []
