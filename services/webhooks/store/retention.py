"""The weeks that events lie in, and what is forgotten. What may be forgotten at all is said in the migrations."""

from datetime import datetime

from shared.db import Connection


async def make_weeks(conn: Connection, weeks_ahead: int) -> int:
    """Makes the partitions of this week and of so many after it; answers how many were missing.

    Moves what lies in the default partition into its own. Raises LockNotAvailableError when others are in the way.
    """
    made: int = await conn.fetchval("SELECT make_event_partitions($1)", weeks_ahead)
    return made


async def select_disposable_week(conn: Connection, keep_days: int) -> datetime | None:
    """The oldest week that has been over for so many days, and in which nothing waits or has failed."""
    week: datetime | None = await conn.fetchval(
        """
        WITH weeks AS (
            SELECT to_date(right(relname, 8), 'YYYYMMDD')::timestamp AT TIME ZONE 'UTC' AS since
            FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
            WHERE inhparent = 'stripe_events'::regclass AND relname ~ '^stripe_events_[0-9]{8}$'
        )
        SELECT since FROM weeks
        WHERE since + interval '168 hours' <= now() - make_interval(days => $1)
          AND NOT EXISTS (
            SELECT FROM stripe_events
            WHERE received_at >= since AND received_at < since + interval '168 hours' AND state = 'received')
          AND NOT EXISTS (
            SELECT FROM stripe_events
            WHERE received_at >= since AND received_at < since + interval '168 hours' AND state = 'failed')
        ORDER BY since LIMIT 1
        """,
        keep_days,
    )
    return week


async def drop_week(conn: Connection, week: datetime) -> bool:
    """Drops a week's partition; False if something in it waits or has failed after all.

    Raises LockNotAvailableError when others are in the way.
    """
    dropped: bool = await conn.fetchval("SELECT drop_event_partition($1)", week)
    return dropped


async def delete_handled(conn: Connection, keep_days: int, limit: int) -> int:
    """Deletes handled events of weeks that are over for so many days: those whose partition can't be dropped yet."""
    status = await conn.execute(
        """
        DELETE FROM stripe_events WHERE (stripe_event_id, received_at) IN (
            SELECT stripe_event_id, received_at FROM stripe_events
            WHERE received_at < date_trunc('week', now() - make_interval(days => $1), 'UTC')
              AND state IN ('published', 'ignored')
            LIMIT $2)
        """,
        keep_days,
        limit,
    )
    return int(status.split()[-1])


async def delete_ids(conn: Connection, keep_days: int, limit: int) -> int:
    """Forgets the ids of events that came more than so many days ago, except of those whose body is still there."""
    status = await conn.execute(
        """
        DELETE FROM stripe_event_ids WHERE id IN (
            SELECT id FROM stripe_event_ids AS ids
            WHERE received_at < now() - make_interval(days => $1)
              AND NOT EXISTS (SELECT FROM stripe_events WHERE stripe_event_id = ids.id)
            LIMIT $2)
        """,
        keep_days,
        limit,
    )
    return int(status.split()[-1])
