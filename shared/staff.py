"""Members of staff: whose session a token is, and how one begins and ends. Nothing is cached: a revoked one is over.

The tables are in schema `staff` and belong to checkout; the other services read a view and may begin, use and end a
session by three functions. Tokens and codes are random; what is stored is their SHA-256.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from shared.db import Connection, Pool
from shared.ids import uuid7

TOKEN_BYTES = 32
# A session is said to be in use at most so often: a write for each look would cost more than the look.
TOUCH_AFTER = timedelta(minutes=1)
CODE_LASTS = timedelta(minutes=10)


class Right(StrEnum):
    """What a member of staff may be allowed."""

    EVENTS_READ = "events.read"
    EVENTS_RESYNC = "events.resync"
    ORDERS_REFUND = "orders.refund"
    ORDERS_RELEASE = "orders.release"
    ORDERS_SHIP = "orders.ship"
    STOCK_ADJUST = "stock.adjust"


@dataclass(frozen=True, slots=True)
class Staff:
    """Somebody who is signed in."""

    session_id: UUID
    account_id: UUID
    name: str
    rights: frozenset[str]

    @property
    def actor(self) -> str:
        """As the audit trail names him."""
        return f"staff {self.account_id}"

    def may(self, right: Right) -> bool:
        return right.value in self.rights


def hashed(token: str) -> bytes:
    """What is stored of a token or a code; either has 256 bits of chance in it, so no salt is needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


async def read_session(pool: Pool, token: str) -> Staff | None:
    """Whose token it is; None for one that is unknown, over, idle for long or revoked."""
    async with pool.request() as conn:
        row = await conn.fetchrow(
            """
            SELECT id, account_id, name, rights, seen_at < now() - $2::interval AS is_due
            FROM staff.live_sessions WHERE token_hash = $1
            """,
            hashed(token),
            TOUCH_AFTER,
        )
        if row is None:
            return None
        if row["is_due"]:
            await conn.execute("SELECT staff.touch($1)", row["id"])
    return Staff(row["id"], row["account_id"], row["name"], frozenset(row["rights"]))


async def enter(conn: Connection, code: str) -> tuple[str, UUID] | None:
    """Makes a code a session: its token, told this once, and the account; None for a code that doesn't count."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    account_id = await conn.fetchval("SELECT staff.enter($1, $2, $3)", hashed(code), uuid7(), hashed(token))
    return None if account_id is None else (token, account_id)


async def leave(conn: Connection, session_id: UUID) -> None:
    """Ends a session."""
    await conn.execute("SELECT staff.leave($1)", session_id)


async def invite(conn: Connection, name: str, rights: list[str] | None, lasts: timedelta) -> tuple[str, UUID]:
    """A code for one session of an account, made if need be; `rights` replace what it has. For checkout's worker."""
    account_id: UUID = await conn.fetchval(
        """
        INSERT INTO staff.accounts (id, name, rights) VALUES ($1, $2, coalesce($3::text[], $4::text[]))
        ON CONFLICT (name) DO UPDATE SET rights = coalesce($3::text[], accounts.rights) RETURNING id
        """,
        uuid7(),
        name,
        rights,
        [Right.EVENTS_READ.value],
    )
    code = secrets.token_urlsafe(TOKEN_BYTES)
    await conn.execute(
        """
        INSERT INTO staff.sign_in_codes (code_hash, account_id, lasts, expires_at)
        VALUES ($1, $2, $3, clock_timestamp() + $4::interval)
        """,
        hashed(code),
        account_id,
        lasts,
        CODE_LASTS,
    )
    return code, account_id
