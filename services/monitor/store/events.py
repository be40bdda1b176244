"""Events that were seen."""

from dataclasses import fields
from datetime import timedelta

from services.monitor.domain.events import SeenEvent
from services.monitor.domain.facts import MailEnds, Payments
from services.monitor.domain.security import Alarm
from shared.db import Connection

PURGE_BATCH = 5000
COLUMNS = ", ".join(field.name for field in fields(SeenEvent))


async def insert_seen_event(conn: Connection, event: SeenEvent) -> None:
    # A sender's clock that runs ahead must not keep an event in the window for longer than it belongs there.
    await conn.execute(
        """
        INSERT INTO seen_events (id, type, occurred_at, order_id, order_number, category, amount_minor, currency,
                                 severity, detail)
        VALUES ($1, $2, least($3, clock_timestamp()), $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING
        """,
        event.id,
        event.type,
        event.occurred_at,
        event.order_id,
        event.order_number,
        event.category,
        event.amount_minor,
        event.currency,
        event.severity,
        event.detail,
    )


async def count_payments(conn: Connection, window: timedelta) -> Payments:
    row = await conn.fetchrow(
        """
        SELECT count(*) FILTER (WHERE type = 'order.paid') AS paid,
               count(*) FILTER (WHERE type = 'order.payment_failed') AS failed
        FROM seen_events
        WHERE type IN ('order.paid', 'order.payment_failed') AND occurred_at > now() - $1::interval
        """,
        window,
    )
    assert row is not None
    return Payments(paid=row["paid"], failed=row["failed"])


async def select_alarms(conn: Connection, window: timedelta) -> dict[str, Alarm]:
    """Security events that ask for a person, by type; of each the latest of the gravest speaks for all.

    The window is one of our own clock: an event that was long on its way asks for a person all the same.
    """
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (type) type, severity = 'critical' AS is_critical, coalesce(detail, '') AS detail,
               count(*) OVER (PARTITION BY type) AS count
        FROM seen_events
        WHERE severity IN ('warning', 'critical') AND seen_at > now() - $1::interval
        ORDER BY type, severity = 'critical' DESC, occurred_at DESC
        """,
        window,
    )
    return {row["type"]: Alarm(**row) for row in rows}


async def count_mail_ends(conn: Connection, window: timedelta) -> MailEnds:
    """Letters to customers by their end, as the notifier told it; the window is one of our own clock."""
    rows = await conn.fetch(
        """
        SELECT type, count(*) AS letters FROM seen_events
        WHERE type IN ('mail.accepted', 'mail.refused', 'mail.unknown') AND seen_at > now() - $1::interval
        GROUP BY type
        """,
        window,
    )
    return MailEnds(**{row["type"].removeprefix("mail."): row["letters"] for row in rows})


async def count_failures(conn: Connection, window: timedelta) -> dict[str, int]:
    """Failed payment tries by category, the most frequent first."""
    rows = await conn.fetch(
        """
        SELECT coalesce(category, 'unknown') AS category, count(*) AS tries FROM seen_events
        WHERE type = 'order.payment_failed' AND occurred_at > now() - $1::interval
        GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10
        """,
        window,
    )
    return {row["category"]: row["tries"] for row in rows}


async def sum_paid(conn: Connection, window: timedelta) -> dict[str, int]:
    """Money taken, in minor units, by currency."""
    rows = await conn.fetch(
        """
        SELECT currency, sum(amount_minor)::bigint AS amount_minor FROM seen_events
        WHERE type = 'order.paid' AND occurred_at > now() - $1::interval AND currency IS NOT NULL
        GROUP BY currency ORDER BY currency
        """,
        window,
    )
    return {row["currency"]: row["amount_minor"] for row in rows}


async def select_latest_events(conn: Connection, limit: int) -> list[SeenEvent]:
    rows = await conn.fetch(
        f"SELECT {COLUMNS} FROM seen_events ORDER BY occurred_at DESC, id DESC LIMIT $1",  # noqa: S608 (constant)
        limit,
    )
    return [SeenEvent(**row) for row in rows]


async def delete_old_events(conn: Connection, keep: timedelta) -> int:
    """Forgets what happened long ago, unless we have only just heard of it."""
    status = await conn.execute(
        """
        DELETE FROM seen_events WHERE id IN (
            SELECT id FROM seen_events
            WHERE occurred_at < now() - $1::interval AND seen_at < now() - $1::interval LIMIT $2)
        """,
        keep,
        PURGE_BATCH,
    )
    return int(status.split()[-1])
