"""SQL of signed-in shoppers: who they are at Stripe, what they agreed to, what we asked Stripe for on their behalf."""

from datetime import datetime
from uuid import UUID

import asyncpg
import orjson

from services.checkout.domain import CustomerAttempt, Shopper
from shared.db import Connection


async def insert_customer(conn: Connection, shopper: Shopper) -> None:
    await conn.execute(
        "INSERT INTO customers (id, reference) VALUES ($1, $2) ON CONFLICT DO NOTHING", shopper.id, shopper.reference
    )


async def select_stripe_customer(conn: Connection, customer_id: UUID) -> str | None:
    found: str | None = await conn.fetchval("SELECT stripe_customer_id FROM customers WHERE id = $1", customer_id)
    return found


async def select_stripe_customer_for_update(conn: Connection, customer_id: UUID) -> str | None:
    """Until the transaction ends, nobody else starts a customer at Stripe for this one."""
    found: str | None = await conn.fetchval(
        "SELECT stripe_customer_id FROM customers WHERE id = $1 FOR NO KEY UPDATE", customer_id
    )
    return found


async def update_stripe_customer(conn: Connection, customer_id: UUID, stripe_customer_id: str) -> None:
    await conn.execute("UPDATE customers SET stripe_customer_id = $2 WHERE id = $1", customer_id, stripe_customer_id)


async def forget_stripe_customer(conn: Connection, customer_id: UUID, stripe_customer_id: str) -> None:
    """Unless another has taken its place meanwhile."""
    await conn.execute(
        "UPDATE customers SET stripe_customer_id = NULL WHERE id = $1 AND stripe_customer_id = $2",
        customer_id,
        stripe_customer_id,
    )


async def insert_consent(conn: Connection, order_id: UUID, customer_id: UUID, version: str, given_at: datetime) -> None:
    await conn.execute(
        "INSERT INTO card_consents (order_id, customer_id, version, given_at) VALUES ($1, $2, $3, $4)",
        order_id,
        customer_id,
        version,
        given_at,
    )


async def insert_attempt(conn: Connection, attempt: CustomerAttempt) -> None:
    """Records the attempt, for whoever leases it; one that is open already is left as it is."""
    await conn.execute(
        """
        INSERT INTO customer_attempts (id, customer_id, operation, payment_method_id, request, created_at, lease_until)
        VALUES ($1, $2, $3, $4, $5, $6, '-infinity')
        ON CONFLICT (customer_id, operation, coalesce(payment_method_id, '')) WHERE state IN ('pending', 'unknown')
            DO NOTHING
        """,
        attempt.id,
        attempt.customer_id,
        attempt.operation,
        attempt.payment_method_id,
        orjson.dumps(attempt.request).decode(),
        attempt.created_at,
    )


async def lease_attempt(
    conn: Connection, customer_id: UUID, operation: str, payment_method_id: str | None, lease_s: float
) -> CustomerAttempt | None:
    """The open attempt, unless there is none or somebody is trying it right now."""
    row = await conn.fetchrow(
        """
        UPDATE customer_attempts SET lease_until = clock_timestamp() + make_interval(secs => $4), tries = tries + 1
        WHERE customer_id = $1 AND operation = $2 AND payment_method_id IS NOT DISTINCT FROM $3
            AND state IN ('pending', 'unknown') AND lease_until <= clock_timestamp()
        RETURNING *
        """,
        customer_id,
        operation,
        payment_method_id,
        lease_s,
    )
    return None if row is None else _attempt(row)


async def update_attempt(conn: Connection, attempt_id: UUID, state: str, error_code: str | None = None) -> None:
    """How a try ended; the lease ends with it."""
    await conn.execute(
        """
        UPDATE customer_attempts SET state = $2, error_code = $3, lease_until = '-infinity',
            finished_at = CASE WHEN $2 <> 'unknown' THEN clock_timestamp() END
        WHERE id = $1
        """,
        attempt_id,
        state,
        error_code,
    )


def _attempt(row: asyncpg.Record) -> CustomerAttempt:
    return CustomerAttempt(
        id=row["id"],
        customer_id=row["customer_id"],
        operation=row["operation"],
        request=orjson.loads(row["request"]),
        created_at=row["created_at"],
        payment_method_id=row["payment_method_id"],
    )
