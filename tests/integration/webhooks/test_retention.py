"""Weeks are made ahead and dropped when nothing in them is needed; nothing that waits or has failed is ever lost."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from services.webhooks.actions import retention
from services.webhooks.store import retention as store
from shared.db import open_pool
from tests.stripe_events import an_event

NOW = datetime.now(UTC)
KEEP_DAYS = 40
BATCH = retention.BATCH


def week_of(moment: datetime) -> datetime:
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


OLD = week_of(NOW - timedelta(days=70))


@pytest.fixture
async def pool(clean):
    async with open_pool(clean.url("webhooks"), "webhooks", clean.prefix) as pool:
        yield pool


@pytest.fixture(autouse=True)
async def only_the_weeks_ahead(owner, pool):
    """Other weeks than those are of one test alone."""
    yield
    await owner.execute("TRUNCATE webhooks.stripe_events, webhooks.stripe_event_ids")
    for name in await weeks(owner):
        if name < f"stripe_events_{week_of(NOW):%Y%m%d}":
            await owner.execute(f"DROP TABLE webhooks.{name}")
    await retention.make_weeks(pool)


async def weeks(owner) -> list[str]:
    rows = await owner.fetch(
        """
        SELECT inhrelid::regclass::text AS name FROM pg_inherits
        WHERE inhparent = 'webhooks.stripe_events'::regclass
        """
    )
    names = {row["name"].rpartition(".")[2] for row in rows}
    return sorted(names - {"stripe_events_default"})


async def put(owner, name: str, received_at: datetime, state: str = "published") -> None:
    """An event of another time, with its id; into whichever partition is there for it."""
    await owner.execute(
        "INSERT INTO webhooks.stripe_event_ids (id, content_digest, received_at) VALUES ($1, $2, $3)",
        name,
        b"0" * 32,
        received_at,
    )
    await owner.execute(
        """
        INSERT INTO webhooks.stripe_events (stripe_event_id, received_at, type, body, state, published_at, error)
        VALUES ($1, $2, 'payout.paid', '{}', $3::text, CASE WHEN $3 = 'published' THEN $2::timestamptz END,
                CASE WHEN $3 = 'failed' THEN 'x' END)
        """,
        name,
        received_at,
        state,
    )


async def where(owner) -> dict[str, str]:
    """Which partition each event lies in."""
    rows = await owner.fetch(
        "SELECT stripe_event_id AS id, tableoid::regclass::text AS name FROM webhooks.stripe_events"
    )
    return {row["id"]: row["name"].rpartition(".")[2] for row in rows}


async def run_to_the_end(pool, keep_days: int = KEEP_DAYS) -> int:
    done = 0
    while step := await retention.forget_events(pool, keep_days):
        done += step
    return done


async def an_old_week(owner, pool, *events: tuple[str, str]) -> str:
    """A partition of ten weeks ago, with events in these states."""
    for name, state in events:
        await put(owner, name, OLD + timedelta(days=1), state)
    await retention.make_weeks(pool)
    return f"stripe_events_{OLD:%Y%m%d}"


async def test_weeks_are_there_before_they_begin(owner, pool):
    expected = [f"stripe_events_{week_of(NOW) + timedelta(weeks=ahead):%Y%m%d}" for ahead in range(5)]
    assert await weeks(owner) == expected  # made by the migration
    await owner.execute(f"DROP TABLE webhooks.{expected[2]}")
    assert await retention.make_weeks(pool) == 0
    assert await weeks(owner) == expected
    async with pool.worker() as conn:
        assert await store.make_weeks(conn, 4) == 0
        assert await store.make_weeks(conn, 5) == 1
    await owner.execute(f"DROP TABLE webhooks.stripe_events_{week_of(NOW) + timedelta(weeks=5):%Y%m%d}")


async def test_a_week_is_as_closed_as_the_default_one(owner, pool):
    name = await an_old_week(owner, pool, ("evt_1", "published"))
    row = await owner.fetchrow(
        "SELECT relrowsecurity, relforcerowsecurity, relacl FROM pg_class WHERE oid = $1::regclass", f"webhooks.{name}"
    )
    assert (row["relrowsecurity"], row["relforcerowsecurity"], row["relacl"]) == (True, True, None)
    default = await owner.fetchrow(
        "SELECT relforcerowsecurity, relacl FROM pg_class WHERE oid = 'webhooks.stripe_events_default'::regclass"
    )
    assert (default["relforcerowsecurity"], default["relacl"]) == (True, None)
    for take in (pool.worker, pool.request):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with take() as conn:
                await conn.execute(f"SELECT * FROM {name}")
    described = await owner.fetchval("SELECT obj_description($1::regclass)", f"webhooks.{name}")
    assert described == f"Stripe's events of the week from {OLD:%Y-%m-%d}"


async def test_what_lies_in_the_default_partition_is_moved_into_its_week(owner, pool):
    months = [NOW - timedelta(days=days) for days in (50, 51, 100, 400)]
    for number, moment in enumerate(months):
        await put(owner, f"evt_{number}", moment, "received")
    assert set((await where(owner)).values()) == {"stripe_events_default"}
    await retention.make_weeks(pool)
    assert await where(owner) == {
        f"evt_{number}": f"stripe_events_{week_of(moment):%Y%m%d}" for number, moment in enumerate(months)
    }
    async with pool.worker() as conn:  # and what waits is found where it lies now
        waiting = await conn.fetchval("SELECT count(*) FROM stripe_events WHERE state = 'received'")
    assert waiting == 4


async def test_an_owner_who_is_not_almighty_sees_enough_to_move_and_to_keep(owner, pool, clean):
    """Row-level security is forced on the owner: what he can't see he would drop."""
    role = f"{clean.prefix}_plain_owner"
    await owner.execute(f"CREATE ROLE {role} NOLOGIN")
    owned = [f"TABLE webhooks.{name}" for name in ("stripe_events", "stripe_events_default", *await weeks(owner))]
    signatures = ("make_event_partition(timestamptz, boolean)", "make_event_partitions(integer)")
    functions = [f"FUNCTION webhooks.{name}" for name in (*signatures, "drop_event_partition(timestamptz)")]
    me = await owner.fetchval("SELECT current_user")
    try:
        await owner.execute(f"GRANT USAGE, CREATE ON SCHEMA webhooks TO {role}")
        for what in (*owned, *functions):
            await owner.execute(f"ALTER {what} OWNER TO {role}")
        name = await an_old_week(owner, pool, ("evt_1", "failed"), ("evt_2", "published"))
        assert set((await where(owner)).values()) == {name}
        async with pool.worker() as conn:
            assert await store.drop_week(conn, OLD) is False
        await owner.execute("UPDATE webhooks.stripe_events SET state = 'ignored'  WHERE state = 'failed'")
        assert await run_to_the_end(pool) == 1
        assert name not in await weeks(owner)
    finally:
        await owner.execute(f"REASSIGN OWNED BY {role} TO {me}")
        await owner.execute(f"DROP OWNED BY {role}")
        await owner.execute(f"DROP ROLE {role}")


async def test_a_week_in_which_nothing_is_needed_is_dropped_whole(owner, pool):
    name = await an_old_week(owner, pool, ("evt_1", "published"), ("evt_2", "ignored"))
    assert await run_to_the_end(pool, keep_days=365) == 0
    assert name in await weeks(owner)
    assert await run_to_the_end(pool) == 1
    assert name not in await weeks(owner)
    assert await owner.fetchval("SELECT count(*) FROM webhooks.stripe_event_ids") == 2  # known for longer


@pytest.mark.parametrize("state", ["received", "failed"])
async def test_what_waits_or_failed_keeps_its_week_and_the_rest_of_it_goes(owner, pool, state):
    name = await an_old_week(owner, pool, ("evt_needed", state), *((f"evt_{n}", "published") for n in range(5)))
    assert await run_to_the_end(pool) == 5
    assert await where(owner) == {"evt_needed": name}
    await owner.execute("UPDATE webhooks.stripe_events SET state = 'ignored'")  # somebody saw to it
    assert await run_to_the_end(pool) == 1
    assert await where(owner) == {}


async def test_rows_are_forgotten_a_batch_at_a_time(owner, pool):
    name = await an_old_week(owner, pool, ("evt_needed", "failed"))
    await owner.execute(
        """
        INSERT INTO webhooks.stripe_events (stripe_event_id, received_at, type, body, state)
        SELECT 'evt_' || n, $1, 'payout.paid', '{}', 'ignored' FROM generate_series(1, $2) AS n
        """,
        OLD,
        BATCH + 10,
    )
    assert [await retention.forget_events(pool, KEEP_DAYS) for _ in range(3)] == [BATCH, 10, 0]
    assert await where(owner) == {"evt_needed": name}


async def test_nothing_younger_than_stripes_memory_can_be_forgotten_whatever_is_asked(owner, pool):
    await put(owner, "evt_young", NOW - timedelta(days=29))
    await put(owner, "evt_waiting", OLD, "received")
    await put(owner, "evt_old", OLD)
    await retention.make_weeks(pool)
    async with pool.worker() as conn:
        await conn.execute("DELETE FROM stripe_events")
        await conn.execute("DELETE FROM stripe_event_ids WHERE id = 'evt_young'")
    assert set(await where(owner)) == {"evt_young", "evt_waiting"}
    assert await owner.fetchval("SELECT count(*) FROM webhooks.stripe_event_ids WHERE id = 'evt_young'") == 1
    for week in (week_of(NOW), week_of(NOW - timedelta(days=31, hours=-1))):  # an hour later it may be too old
        with pytest.raises(asyncpg.InvalidParameterValueError):
            async with pool.worker() as conn:
                await store.drop_week(conn, week)
    with pytest.raises(asyncpg.InvalidParameterValueError):
        async with pool.worker() as conn:
            await store.make_weeks(conn, 1000)


async def test_ids_outlive_their_events_and_are_forgotten_after_that(owner, pool):
    await put(owner, "evt_kept", NOW - timedelta(days=500), "failed")
    await put(owner, "evt_gone", NOW - timedelta(days=500))
    await put(owner, "evt_known", NOW - timedelta(days=300))
    await run_to_the_end(pool)
    assert await retention.forget_ids(pool, 400) == 1
    ids = {row["id"] for row in await owner.fetch("SELECT id FROM webhooks.stripe_event_ids")}
    assert ids == {"evt_kept", "evt_known"}


SOMEBODY_WAITS = """
    SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'webhooks.stripe_events'::regclass AND NOT granted)
"""


async def test_a_row_put_back_while_its_week_is_being_dropped_is_not_lost(owner, pool, clean):
    """Looked at, found to be done with, put back by a redrive, dropped: the look has to come after the lock."""
    name = await an_old_week(owner, pool, ("evt_1", "ignored"))
    redrive = await asyncpg.connect(clean.owner_url)
    try:
        async with pool.worker() as conn:
            assert await store.select_disposable_week(conn, KEEP_DAYS) == OLD  # the look without a lock
        transaction = redrive.transaction()
        await transaction.start()
        await redrive.execute("UPDATE webhooks.stripe_events SET state = 'received'")

        async def drop() -> bool:
            async with pool.worker() as conn:
                return await store.drop_week(conn, OLD)

        dropping = asyncio.ensure_future(drop())
        async with asyncio.timeout(20):  # it waits for the redrive
            while not dropping.done() and not await owner.fetchval(SOMEBODY_WAITS):
                await asyncio.sleep(0.02)
        await transaction.commit()
        with contextlib.suppress(asyncpg.LockNotAvailableError):  # or, after a second, steps back
            assert await dropping is False  # the guard
        assert await where(owner) == {"evt_1": name}

        await owner.execute(f"DROP TABLE webhooks.{name}")  # what dropping after that look alone would have done
        assert await where(owner) == {}  # the bug
    finally:
        await redrive.close()


async def test_a_week_in_use_is_left_for_another_time_and_storing_goes_on(owner, pool, clean, open_door):
    async with open_door(keep_events_days=365) as door:  # whose own job leaves it alone
        name = await an_old_week(owner, pool, ("evt_1", "ignored"))
        reader = await asyncpg.connect(clean.owner_url)
        try:
            transaction = reader.transaction()
            await transaction.start()
            await reader.fetch("SELECT * FROM webhooks.stripe_events")
            forgetting = asyncio.ensure_future(retention.forget_events(pool, KEEP_DAYS))
            await asyncio.sleep(0.1)
            answers = await asyncio.gather(*(door.deliver(an_event()) for _ in range(5)))
            assert {status for status, _ in answers} == {200}  # held up for a second at most
            assert await forgetting == 0
            await transaction.rollback()
        finally:
            await reader.close()
        assert name in await weeks(owner)
        async with asyncio.timeout(40):  # others may be in the way
            while name in await weeks(owner):
                await retention.forget_events(pool, KEEP_DAYS)


async def test_events_are_stored_while_weeks_are_made_and_dropped(owner, pool, door, rows):
    async def churn() -> None:
        for turn in range(8):
            await put(owner, f"evt_old_{turn}", OLD + timedelta(days=1), "ignored")
            await retention.make_weeks(pool)
            await run_to_the_end(pool)

    churning = asyncio.ensure_future(churn())
    sent = 0
    while not churning.done():
        answers = await asyncio.gather(*(door.deliver(an_event()) for _ in range(10)))
        assert {status for status, _ in answers} == {200}
        sent += 10
    await churning
    await rows.until("published", sent)
    async with asyncio.timeout(40):  # of the old ones, what was in use is forgotten another time
        while len(await where(owner)) > sent:
            await run_to_the_end(pool)
    assert len(await where(owner)) == sent


async def test_claims_and_resyncs_are_forgotten_once_they_are_old_and_no_wish_that_waits(owner, open_door):
    await owner.execute(
        """
        INSERT INTO webhooks.inbox (consumer, event_id, claimed_at)
            SELECT name, gen_random_uuid(), now() - make_interval(days => days)
            FROM (VALUES ('old', 46), ('young', 44)) AS given (name, days);
        INSERT INTO webhooks.resyncs (id, object_id, actor, reason, state, due_at, requested_at, finished_at)
            SELECT gen_random_uuid(), name, 'ada', 'he paid', state, 'infinity', at, CASE state WHEN 'told' THEN at END
            FROM (VALUES ('pi_old', 'told', 41), ('pi_young', 'told', 39), ('pi_waits', 'waiting', 99))
                AS given (name, state, days), LATERAL (SELECT now() - make_interval(days => days) AS at) AS times;
        """
    )
    left = "SELECT consumer FROM webhooks.inbox UNION ALL SELECT object_id FROM webhooks.resyncs"
    async with open_door(), asyncio.timeout(40):
        while len(names := {row["consumer"] for row in await owner.fetch(left)}) > 3:
            await asyncio.sleep(0.05)
    assert names == {"young", "pi_young", "pi_waits"}
