"""SQL of the ledger, and of how far Stripe's balance transactions are booked."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.checkout.domain import Account, Booking, Entry
from shared.db import Connection
from shared.ids import uuid7


async def book(conn: Connection, booking: Booking) -> bool:
    """Books it, once: false when it was booked before. That it sums to zero is checked at commit."""
    if not booking.entries:
        return False
    transaction_id = await conn.fetchval(
        """
        INSERT INTO ledger_transactions (id, kind, source, order_id) VALUES ($1, $2, $3, $4)
        ON CONFLICT (kind, source) DO NOTHING RETURNING id
        """,
        uuid7(),
        booking.kind,
        booking.source,
        booking.order_id,
    )
    if transaction_id is None:
        return False
    await conn.executemany(
        """
        INSERT INTO ledger_entries (transaction_id, position, account, currency, amount_minor)
        VALUES ($1, $2, $3, $4, $5)
        """,
        [
            (transaction_id, position, entry.account, entry.currency, entry.amount_minor)
            for position, entry in enumerate(booking.entries)
        ],
    )
    return True


async def select_ours(conn: Connection, payment_intent_ids: Sequence[str]) -> set[str]:
    """Those of the payments that this shop made; others may use the same account."""
    rows = await conn.fetch(
        """
        SELECT payment_intent_id FROM payments WHERE payment_intent_id = ANY($1::text[])
        UNION SELECT payment_intent_id FROM payment_attempts
        WHERE operation = 'create_intent' AND payment_intent_id IS NOT NULL AND payment_intent_id = ANY($1::text[])
        """,
        payment_intent_ids,
    )
    return {row["payment_intent_id"] for row in rows}


async def select_booked(conn: Connection, kind: str, sources: Sequence[str]) -> dict[str, list[Entry]]:
    """What is booked of each source, in the order of account, currency and amount."""
    rows = await conn.fetch(
        """
        SELECT t.source, e.account, e.currency, e.amount_minor FROM ledger_transactions t
        JOIN ledger_entries e ON e.transaction_id = t.id WHERE t.kind = $1 AND t.source = ANY($2::text[])
        """,
        kind,
        sources,
    )
    found: dict[str, list[Entry]] = {}
    for row in rows:
        found.setdefault(row["source"], []).append(Entry(Account(row["account"]), row["currency"], row["amount_minor"]))
    return {source: sorted(entries, key=in_order) for source, entries in found.items()}


def in_order(entry: Entry) -> tuple[str, str, int]:
    """How entries are compared, whatever position they were booked in."""
    return entry.account, entry.currency, entry.amount_minor


async def select_settlers(conn: Connection, order_id: UUID) -> list[str]:
    """The payments that the books show as having paid for the order: their money is a sale."""
    rows = await conn.fetch(
        """
        SELECT t.source FROM ledger_transactions t JOIN ledger_entries e ON e.transaction_id = t.id
        WHERE t.order_id = $1 AND t.kind = 'payment' AND e.account = 'sales'
        """,
        order_id,
    )
    return [row["source"] for row in rows]


async def claim_poll(conn: Connection, rest_s: float) -> datetime | None:
    """Up to when all is booked, if it is time to look and nobody else is looking."""
    booked_to: datetime | None = await conn.fetchval(
        """
        INSERT INTO balance_poll AS poll (due_at) VALUES (now() + make_interval(secs => $1))
        ON CONFLICT (only_row) DO UPDATE SET due_at = now() + make_interval(secs => $1), looked_at = now()
        WHERE poll.due_at <= now() RETURNING booked_to
        """,
        rest_s,
    )
    return booked_to


async def update_poll(conn: Connection, booked_to: datetime) -> None:
    await conn.execute("UPDATE balance_poll SET booked_to = greatest(booked_to, $1)", booked_to)


async def wake_poll(conn: Connection, after_s: float) -> None:
    """Something was settled: look soon, together with what else comes until then."""
    await conn.execute(
        "UPDATE balance_poll SET due_at = now() + make_interval(secs => $1)"
        " WHERE due_at > now() + make_interval(secs => $1)",
        after_s,
    )
