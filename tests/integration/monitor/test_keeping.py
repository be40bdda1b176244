"""What is kept is bounded."""

from datetime import timedelta

from services.monitor import consumers, jobs
from shared import events
from tests.integration.monitor.samples import one_of_each
from tests.unit.monitor.test_seen_events import order_facts

DAY = timedelta(hours=24)


async def test_events_older_than_a_day_are_deleted_and_no_others(pool, owner):
    for number in range(4):
        async with pool.worker() as conn:
            await consumers.on_event(conn, events.OrderPaid(order=order_facts(number=f"KCT-{number}")))
    old = "UPDATE monitor.seen_events SET {} = now() - interval '25 hours' WHERE order_number = ANY($1)"
    await owner.execute(old.format("occurred_at"), ["KCT-1", "KCT-3"])  # KCT-3 came late, and only just now
    await owner.execute(old.format("seen_at"), ["KCT-1"])

    assert await jobs.purge(pool, DAY) == 1
    assert await jobs.purge(pool, DAY) == 0
    kept = await owner.fetch("SELECT order_number FROM monitor.seen_events ORDER BY 1")
    assert [row["order_number"] for row in kept] == ["KCT-0", "KCT-2", "KCT-3"]


async def test_an_event_from_a_clock_that_runs_ahead_is_kept_as_of_now(pool, owner):
    event = events.OrderPaid(order=order_facts())
    ahead = event.model_copy(update={"occurred_at": event.occurred_at + timedelta(days=2)})
    async with pool.worker() as conn:
        await consumers.on_event(conn, ahead)

    assert await owner.fetchval("SELECT occurred_at <= now() FROM monitor.seen_events")


async def test_every_type_of_event_can_be_kept(pool, owner):
    """The monitor hears all there are: one it could not keep would become a dead letter of its own."""
    for event in one_of_each():
        async with pool.worker() as conn:
            await consumers.on_event(conn, events.decode(events.encode(event)))

    kept = {row["type"] for row in await owner.fetch("SELECT type FROM monitor.seen_events")}
    assert kept == set(events.EVENTS)
