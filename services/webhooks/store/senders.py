"""The addresses Stripe sends from."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.webhooks.domain.senders import Known
from shared.db import Connection


@dataclass(frozen=True, slots=True)
class Age:
    """As of when the list is, and since when it can't be refreshed, by the clock that all processes share."""

    now: datetime
    as_of: datetime | None
    failing_since: datetime | None


async def lock_list(conn: Connection) -> datetime | None:
    """As of when the list is, None: there is none yet. Whoever else would change it waits for this transaction."""
    # Inserted by the migration; a database that was emptied has it again from here.
    await conn.execute("INSERT INTO stripe_sender_list DEFAULT VALUES ON CONFLICT DO NOTHING")
    as_of: datetime | None = await conn.fetchval("SELECT as_of FROM stripe_sender_list FOR UPDATE")
    return as_of


async def claim_refresh(conn: Connection, interval: timedelta) -> bool:
    """Whether it is time to ask for the list, and nobody else does: of all processes one is told so."""
    status = await conn.execute(
        """
        INSERT INTO stripe_sender_list AS list (tried_at) VALUES (now())
        ON CONFLICT (the_one) DO UPDATE SET tried_at = now() WHERE list.tried_at <= now() - $1::interval
        """,
        interval,
    )
    return status == "INSERT 0 1"


async def select_senders(conn: Connection) -> list[Known]:
    rows = await conn.fetch("SELECT address, removed_at FROM stripe_senders")
    return [Known(row["address"], row["removed_at"]) for row in rows]


async def select_age(conn: Connection) -> Age:
    row = await conn.fetchrow(
        """
        SELECT now() AS now, (SELECT as_of FROM stripe_sender_list),
               (SELECT failing_since FROM stripe_sender_list)
        """
    )
    assert row is not None
    return Age(**row)


async def upsert_senders(conn: Connection, addresses: Iterable[str]) -> None:
    """Lists addresses; one that had left is back as if it never had."""
    await conn.execute(
        """
        INSERT INTO stripe_senders (address) SELECT unnest($1::text[])
        ON CONFLICT (address) DO UPDATE SET removed_at = NULL, added_at = now()
        """,
        sorted(addresses),
    )


async def update_removed(conn: Connection, addresses: Iterable[str]) -> None:
    await conn.execute(
        "UPDATE stripe_senders SET removed_at = now() WHERE address = ANY($1::text[]) AND removed_at IS NULL",
        sorted(addresses),
    )


async def update_as_of(conn: Connection, as_of: datetime | None) -> None:
    """The list is as of then; None: as of now, since it was just had."""
    await conn.execute(
        """
        UPDATE stripe_sender_list
        SET as_of = coalesce($1, now()), failing_since = CASE WHEN $1::timestamptz IS NOT NULL THEN failing_since END
        """,
        as_of,
    )


async def update_failing(conn: Connection) -> None:
    """It could not be had, or not be believed; since when is kept until it can."""
    await conn.execute("UPDATE stripe_sender_list SET failing_since = coalesce(failing_since, now())")
