"""SQL of the Idempotency-Keys that orders were placed with."""

from dataclasses import dataclass
from uuid import UUID

from shared.db import Connection


@dataclass(frozen=True, slots=True)
class Claim:
    """An Idempotency-Key that was used before."""

    order_id: UUID
    fingerprint: bytes


async def claim_key(conn: Connection, key_sha256: bytes, fingerprint: bytes, order_id: UUID) -> bool:
    """True if the key is new. While another request is placing an order with it, this waits for that one's end."""
    status = await conn.execute(
        "INSERT INTO idempotency_keys (key_sha256, fingerprint, order_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        key_sha256,
        fingerprint,
        order_id,
    )
    return status == "INSERT 0 1"


async def select_claim(conn: Connection, key_sha256: bytes) -> Claim:
    claim = await find_claim(conn, key_sha256)
    assert claim is not None  # the insert that this follows found it
    return claim


async def find_claim(conn: Connection, key_sha256: bytes) -> Claim | None:
    """What the key was used for, if it was."""
    row = await conn.fetchrow("SELECT order_id, fingerprint FROM idempotency_keys WHERE key_sha256 = $1", key_sha256)
    return None if row is None else Claim(**row)


async def delete_old_keys(conn: Connection, keep_days: int) -> int:
    status = await conn.execute(
        """
        DELETE FROM idempotency_keys WHERE key_sha256 IN (
            SELECT key_sha256 FROM idempotency_keys
            WHERE created_at < now() - make_interval(days => $1) LIMIT 1000)
        """,
        keep_days,
    )
    return int(status.split()[-1])
