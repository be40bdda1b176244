"""Fills checkout's tables with orders of two years, as fast as PostgreSQL takes them: nothing of it waits for the disk,
and no trigger or reference is asked, since each row is made to fit the others."""

from collections.abc import Callable

import asyncpg

BATCH = 100_000


# Everything of order number n hangs on ids made of n: the first part says of which table.
def _id(table: int) -> str:
    return f"('{table:08}-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"


def _of(condition: str = "true") -> str:
    """Of the orders $1 to $2 those that the condition is true of; the last of all was placed an hour ago."""
    at = "now() - interval '1 hour' - make_interval(secs => 63072000.0 * ($3::bigint - n) / $3)"
    return f"FROM (SELECT n, {at} AS at FROM generate_series($1::bigint, $2) AS n) AS o WHERE {condition}"


_ORDER = _id(1)
_SKU = "('BENCH-' || lpad((n % 100)::text, 3, '0'))"
# 19 of 20 orders are paid, the others expired; what jobs purge is there for as long as they leave it.
_PAID = "n % 20 <> 0"
_OF_A_WEEK, _OF_A_MONTH, _OF_45_DAYS = (_of(f"at > now() - interval '{days} days'") for days in (7, 30, 45))
STATEMENTS = (
    f"""
    INSERT INTO orders (id, number, email, locale, currency, total_minor, shipping_address, payment, fulfilment,
                        reserved_until, expiry_due_at, placed_at, paid_at, subtotal_minor)
    SELECT {_ORDER}, 'F-' || n, 'ada@example.com', 'en', 'usd', 12900, '{{"country": "GB"}}',
           CASE WHEN {_PAID} THEN 'paid' ELSE 'expired' END, CASE WHEN {_PAID} THEN 'delivered' ELSE 'none' END,
           at + interval '30 minutes', at + interval '30 minutes', at, CASE WHEN {_PAID} THEN at END, 12900 {_of()}
    """,
    f"""
    INSERT INTO order_lines (order_id, position, sku, name, variant, quantity, unit_price_minor)
    SELECT {_ORDER}, 0, {_SKU}, 'Tie', 'Navy, M', 1, 12900 {_of()}
    """,
    *(
        f"INSERT INTO order_timeline (id, order_id, at, what, actor)"
        f" SELECT {_id(table)}, {_ORDER}, at, '{what}', 'x' {_of()}"
        for table, what in ((2, "placed"), (3, "paid"), (4, "delivered"))
    ),
    f"""
    INSERT INTO idempotency_keys (key_sha256, fingerprint, order_id, created_at)
    SELECT sha256(n::text::bytea), sha256('x'), {_ORDER}, at {_OF_A_MONTH}
    """,
    f"""
    INSERT INTO order_origins (order_id, email, address, placed_at, is_unpaid)
    SELECT {_ORDER}, sha256(n::text::bytea), sha256((n / 3)::text::bytea), at, NOT ({_PAID}) {_OF_A_WEEK}
    """,
    f"""
    INSERT INTO payment_attempts (id, order_id, operation, request, state, payment_intent_id, tries, lease_until,
                                  created_at, finished_at)
    SELECT {_id(5)}, {_ORDER}, 'create_intent', '{{"amount": 12900, "currency": "usd"}}', 'succeeded', 'pi_filler' || n,
           1, '-infinity', at, at {_of()}
    """,
    f"""
    INSERT INTO payments (payment_intent_id, order_id, status, currency, amount_minor, amount_received_minor, charge_id,
                          settles, updated_at)
    SELECT 'pi_filler' || n, {_ORDER}, CASE WHEN {_PAID} THEN 'succeeded' ELSE 'canceled' END, 'usd', 12900,
           CASE WHEN {_PAID} THEN 12900 ELSE 0 END, 'ch_filler' || n, {_PAID}, at {_of()}
    """,
    f"""
    INSERT INTO payment_failures (failure_id, order_id, category, at)
    SELECT 'ch_failed' || n, {_ORDER}, 'insufficient_funds', at {_of("n % 15 = 0")}
    """,
    f"""
    INSERT INTO resyncs (payment_intent_id, order_id, reason, due_at, done_at)
    SELECT 'pi_filler' || n, {_ORDER}, 'refund.created', at, at {_of("n % 30 = 1")}
    """,
    f"""
    INSERT INTO refunds (id, order_id, payment_intent_id, stripe_refund_id, amount_minor, currency, state, reason,
                         actor, created_at)
    SELECT {_id(6)}, {_ORDER}, 'pi_filler' || n, 're_filler' || n, 100, 'usd', 'succeeded', 'sent back', 'staff ada', at
    {_of("n % 30 = 1")}
    """,
    *(
        f"INSERT INTO ledger_transactions (id, kind, source, order_id, at)"
        f" SELECT {_id(table)}, '{kind}', '{source}' || n, {_ORDER}, at {_of(_PAID)}"
        for table, kind, source in ((7, "payment", "pi_filler"), (8, "balance", "txn_filler"))
    ),
    *(
        f"INSERT INTO ledger_entries (transaction_id, position, account, currency, amount_minor)"
        f" SELECT {_id(table)}, {position}, '{account}', 'usd', {amount} {_of(_PAID)}"
        for table, position, account, amount in (
            (7, 0, "stripe_pending", 12900),
            (7, 1, "sales", -12900),
            (8, 0, "stripe_balance", 12496),
            (8, 1, "fees", 404),
            (8, 2, "stripe_pending", -12900),
        )
    ),
    *(
        f"INSERT INTO stock_journal (id, sku, on_hand_change, reserved_change, reason, order_id, at, number,"
        f" available_after)"
        f" SELECT {_id(table)}, {_SKU}, {change}, {_ORDER}, at, 1000000 + n / 100 * 2 + {place}, 1 {_of()}"
        for table, place, change in (
            (9, 0, "0, 1, 'reserved'"),
            (10, 1, f"CASE WHEN {_PAID} THEN -1 ELSE 0 END, -1, CASE WHEN {_PAID} THEN 'sold' ELSE 'released' END"),
        )
    ),
    *(
        f"INSERT INTO outbox (id, type, body, staged_at, published_at) SELECT {_id(table)}, '{kind}',"
        f" decode(repeat('20', 900), 'hex'), at, at {_OF_A_WEEK}"
        for table, kind in ((11, "order.placed"), (12, "order.paid"))
    ),
    *(
        f"INSERT INTO inbox (consumer, event_id, claimed_at) SELECT '{consumer}', {_id(table)}, at {_OF_45_DAYS}"
        for table, consumer in ((13, "checkout.on_payment_succeeded"), (14, "checkout.on_money_moved"))
    ),
)
NUMBERING_GOES_ON = "UPDATE stock SET changes = 1000002 + $1::bigint / 100 * 2 WHERE starts_with(sku, 'BENCH-')"


async def fill(owner_url: str, orders: int, say: Callable[[str], None]) -> None:
    """`owner_url` is a superuser's. Raises what asyncpg raises."""
    conn = await asyncpg.connect(owner_url, server_settings={"search_path": "checkout"}, command_timeout=600)
    try:
        await _without_waiting(conn, orders, say)
    finally:
        await conn.close()


async def _without_waiting(conn: asyncpg.Connection, orders: int, say: Callable[[str], None]) -> None:
    await _set_fsync(conn, "off")
    await conn.execute("SET session_replication_role = replica; SET synchronous_commit = off; SET jit = off")
    try:
        for first in range(1, orders + 1, BATCH):
            last = min(first + BATCH - 1, orders)
            for statement in STATEMENTS:
                await conn.execute(statement, first, last, orders)
            say(f"  {last:,} of {orders:,} orders")
        await conn.execute(NUMBERING_GOES_ON, orders)
        await conn.execute("ANALYZE")
        await conn.execute("CHECKPOINT")
    finally:
        await _set_fsync(conn, "on")


async def _set_fsync(conn: asyncpg.Connection, value: str) -> None:
    await conn.execute(f"ALTER SYSTEM SET fsync = {value}")
    await conn.execute("SELECT pg_reload_conf()")
