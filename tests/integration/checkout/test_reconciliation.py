"""Whatever was missed or lost, a comparison with Stripe finds it: what is safe is put right, the rest is raised."""

import asyncio
import random
from datetime import timedelta

import pytest

from services.checkout import consumers, jobs
from services.checkout.actions.orders import Till
from services.checkout.actions.reconciling import examining, people, running
from services.checkout.actions.reconciling.session import Deposed, Session
from services.checkout.store import reconciling as reconciling_store
from services.checkout.stripe_api import open_stripe
from services.monitor.store import invariants
from shared.events import ReconciliationEventsFetched
from shared.metrics import HTTP_CLIENT_REQUESTS
from tests.integration.checkout.comparing import (
    assert_all_is_as_at_stripe,
    gather,
    hear_all,
    latest,
    listed,
    lose_rows,
    of_objects,
    outcome,
    reconcile,
    reconciling,
    until_settled,
)
from tests.integration.checkout.conftest import Checkout, an_order, settings_for, until_somebody_waits
from tests.integration.checkout.money import quiet, timeline_of
from tests.integration.checkout.test_payments import a_success, hear, staged, state_of

ORDERS = 200
BUDGET = 200
SKUS = [
    f"{name}-{size}"
    for name in ("OXFORD-SHIRT-WHIT", "OXFORD-SHIRT-SKYB", "POPLIN-SHIRT-WHIT", "POPLIN-SHIRT-PALE")
    for size in ("S", "M", "L", "XL")
]


async def a_day_of_business(checkout, stripe) -> list[dict]:
    """Orders of all fates: most are paid, some declined or left, some given back in the Dashboard, some disputed."""

    async def one(position: int) -> dict:
        _, placed = await checkout.place(an_order(sku=SKUS[position % len(SKUS)]))
        payment = placed["payment_intent_id"]
        if position % 20 == 7:
            return placed  # left unpaid
        await stripe.pay(payment, "pm_card_chargeDeclined" if position % 20 == 13 else "pm_card_visa")
        if position % 20 == 4:
            await stripe.post("refunds", payment_intent=payment)
        if position % 20 == 9:
            await stripe.post("refunds", payment_intent=payment, amount="500")
        if position % 20 == 16:
            await stripe.control("POST", "disputes", {"payment_intent": payment})
        return placed

    return await gather(ORDERS, one)


@pytest.mark.timeout(600)
async def test_all_is_repaired_after_a_twentieth_of_events_and_of_payment_rows_is_lost(checkout, clean, stripe, owner):
    """In one run, within its budget."""
    dice = random.Random(57)
    placed = await a_day_of_business(checkout, stripe)
    events = (await listed(stripe, "events"))[::-1]
    lost = set(dice.sample([event["id"] for event in events], len(events) // 20))
    await hear_all(checkout, (event for event in events if event["id"] not in lost))
    await quiet(checkout)
    await jobs.book_balance(checkout.till)
    payments = [each["payment_intent_id"] for each in placed]
    await lose_rows(owner, dice.sample(payments, ORDERS // 20))
    assert (await invariants.ask_all(clean.auditor_url)).broken

    run = await reconcile(checkout, clean, reads=BUDGET)

    assert (run.stage, run.turns, outcome(run)[1]) == ("done", 1, 0)
    assert outcome(run)[0] >= ORDERS // 20
    assert run.reads <= BUDGET
    assert await invariants.ask_all(clean.auditor_url) == invariants.Answers()
    await assert_all_is_as_at_stripe(stripe, owner)
    assert outcome(await reconcile(checkout, clean)) == (0, 0)


async def some_unheard(checkout, stripe, number: int) -> list[dict]:
    """Paid at Stripe, and nobody has told us."""

    async def one(position: int) -> dict:
        _, placed = await checkout.place(an_order(sku=SKUS[position % len(SKUS)]))
        await stripe.pay(placed["payment_intent_id"])
        return placed

    unheard = await gather(number, one)
    await until_settled(stripe, number)
    return unheard


async def test_a_webhook_and_reconciliation_settle_the_same_payment_once(checkout, clean, stripe, owner):
    placed = await some_unheard(checkout, stripe, 8)
    async with reconciling(checkout, clean) as reconciler:
        await asyncio.gather(running.reconcile(reconciler), *(hear(checkout, a_success_of(each)) for each in placed))
    for each in placed:
        assert await state_of(owner, each) == ("paid", "none")
        assert (await timeline_of(owner, each)).count("paid") == 1
    assert await staged(owner, "order.paid") == 8
    assert await invariants.ask_all(clean.auditor_url) == invariants.Answers()


def a_success_of(placed: dict):
    price = placed["order"]["total_minor"]
    return a_success(placed, amount_minor=price, amount_received_minor=price)


@pytest.mark.parametrize("is_locked", [True, False])
async def test_what_a_webhook_settles_while_we_look_is_not_our_repair(
    checkout, clean, stripe, owner, monkeypatch, is_locked
):
    """The order is locked before it is compared. Without that, what the event does meanwhile is taken for our doing."""
    if not is_locked:
        monkeypatch.setattr(reconciling_store, "lock_orders_of", nothing)
    [placed] = await some_unheard(checkout, stripe, 1)
    async with checkout.till.pool.worker() as conn:
        await consumers.on_payment_succeeded(conn, a_success_of(placed))
        run = asyncio.create_task(reconcile(checkout, clean))
        await until_somebody_waits(owner)
    assert of_objects(await run) == ((0, 0) if is_locked else (1, 0))
    assert (await timeline_of(owner, placed)).count("reconciled") == (0 if is_locked else 1)


async def nothing(*_: object) -> None:
    """The lock, switched off."""


async def test_of_two_reconcilers_one_leads(checkout, clean, stripe, owner):
    await some_unheard(checkout, stripe, 4)
    async with reconciling(checkout, clean) as one, reconciling(checkout, clean) as other:
        done = await asyncio.gather(running.reconcile(one), running.reconcile(other))
    assert sorted(done) == [0, 1]
    assert await owner.fetchval("SELECT count(*) FROM checkout.reconciliations") == 1
    assert of_objects(await latest(checkout)) == (4, 0)


async def test_a_spent_budget_is_gone_on_from_also_by_another_leader(checkout, clean, stripe, owner):
    await some_unheard(checkout, stripe, 7)
    async with reconciling(checkout, clean, reads=13) as first:
        assert await running.reconcile(first) == 0
        half_way = await latest(checkout)
        assert (half_way.stage, half_way.reads, of_objects(half_way)) == ("intents", 13, (3, 0))
        first.candidate.give_up()
        async with reconciling(checkout, clean, reads=13) as second:
            while not await running.reconcile(second):
                pass
            run = await latest(checkout)
            assert (run.id, run.turns, of_objects(run)) == (half_way.id, 3, (7, 0))
            assert run.reads <= 13 * run.turns
            stale = Session(first.pool, first.stripe, first.policy, half_way, half_way.until, fence=1)
            with pytest.raises(Deposed):
                await stale.advance("balance", None)
    assert await staged(owner, "order.paid") == 7


async def test_a_busy_stripe_is_left_alone_for_a_while_and_then_the_run_goes_on(checkout, clean, stripe, owner):
    await some_unheard(checkout, stripe, 1)
    await stripe.fault(kind="rate_limit", reason=None, method="GET", path="/v1/payment_intents", times=None)
    run = await reconcile(checkout, clean)
    assert (run.stage, run.failures, run.finished_at) == ("intents", 1, None)
    assert (await reconcile(checkout, clean)).turns == 1  # it rests
    await stripe.control("DELETE", "faults")
    await owner.execute("UPDATE checkout.reconciliations SET resume_at = now()")
    assert of_objects(await reconcile(checkout, clean)) == (1, 0)


async def test_the_pause_is_short_after_a_find_and_widens_while_there_is_none(checkout, clean, stripe, owner):
    pace = {"interval_s": 10.0, "idle_s": 20.0}
    await some_unheard(checkout, stripe, 1)
    pauses = []
    for _ in range(4):
        pauses.append((await reconcile(checkout, clean, **pace)).interval_s)
        assert (await reconcile(checkout, clean, **pace)).interval_s == pauses[-1]  # it is not due
        await owner.execute("UPDATE checkout.reconciliations SET interval_s = interval_s, finished_at = finished_at")
        await owner.execute(
            "UPDATE checkout.reconciliations SET finished_at = finished_at - make_interval(secs => interval_s)"
        )
    assert pauses == [10.0, 15.0, 20.0, 20.0]


async def test_news_has_time_to_come_by_itself(checkout, clean, stripe):
    await some_unheard(checkout, stripe, 1)
    assert of_objects(await reconcile(checkout, clean, settle=timedelta(seconds=60))) == (0, 0)


@pytest.fixture
async def unserved(clean, pool, amqp_url, stripe, http):
    """No process runs, so nothing goes out to the broker, where it would wait for the tests of webhooks."""
    settings = settings_for(clean, amqp_url, stripe.url)
    async with open_stripe(settings) as api:
        yield Checkout("", http, Till(pool, api, settings))


async def test_a_balance_transaction_that_has_just_come_is_left_to_the_job_that_books(checkout, clean, stripe, owner):
    """So is a payment that has none yet: with Stripe's default capture it comes later."""
    await some_unheard(checkout, stripe, 1)
    run = await reconcile(checkout, clean, books=timedelta(minutes=10))
    assert (outcome(run), run.balance_found) == ((1, 0), 0)


async def test_a_look_at_a_payment_costs_as_many_reads_as_are_paid_for(unserved, stripe):
    _, intent = await stripe.post("payment_intents", amount="900", currency="usd")
    before = requests_made()
    await unserved.till.stripe.look_at(intent["id"])
    assert requests_made() - before == examining.LOOK_READS


def requests_made() -> float:
    [family] = HTTP_CLIENT_REQUESTS.collect()
    return sum(sample.value for sample in family.samples if sample.name.endswith("_total"))


async def test_a_cursor_that_is_gone_begins_the_list_again(checkout, clean, stripe, owner):
    await some_unheard(checkout, stripe, 4)
    await reconcile(checkout, clean, reads=10)
    await owner.execute("UPDATE checkout.reconciliations SET cursor = 'pi_gone', resume_at = now()")
    assert of_objects(await reconcile(checkout, clean)) == (4, 0)


async def test_webhooks_is_asked_for_what_was_not_delivered_and_its_answer_counts(unserved, clean, stripe, owner):
    answer = timedelta(seconds=60)
    run = await reconcile(unserved, clean, answer=answer)
    assert (run.stage, await staged(owner, "reconciliation.began")) == ("events", 1)
    assert (await reconcile(unserved, clean, answer=answer)).stage == "events"
    async with unserved.till.pool.worker() as conn:
        await consumers.on_events_fetched(conn, ReconciliationEventsFetched(run_id=run.id, listed=5, fetched=2))
    run = await reconcile(unserved, clean, answer=answer)
    assert (run.stage, run.events_listed, run.events_fetched, run.found) == ("done", 5, 2, 2)


async def test_a_silent_webhooks_holds_up_nothing(unserved, clean, stripe, owner):
    answer = timedelta(seconds=60)
    await reconcile(unserved, clean, answer=answer)
    await owner.execute("UPDATE checkout.reconciliations SET started_at = now() - interval '61 seconds'")
    run = await reconcile(unserved, clean, answer=answer)
    assert (run.stage, run.events_answered_at) == ("done", None)


async def test_a_run_that_people_wished_for_leaves_no_gap(checkout, clean, stripe, owner):
    """It may begin after what was compared last: ours goes on from there all the same."""
    first = await reconcile(checkout, clean)
    async with checkout.till.pool.worker() as conn:
        wished = await people.plan(conn, first.until + timedelta(microseconds=1), None)
        await people.wish(conn, wished, "ops ada", "to see")
    assert (await reconcile(checkout, clean)).id == wished.id
    following = await reconcile(checkout, clean)
    assert following.since == first.until - checkout.till.settings.reconciliation().overlap


async def test_a_bug_of_ours_lets_the_run_rest_and_is_heard_of(checkout, clean, stripe, monkeypatch):
    monkeypatch.setitem(running.STEPS, "refunds", a_bug)
    with pytest.raises(KeyError):
        await reconcile(checkout, clean)
    assert ((await latest(checkout)).stage, (await latest(checkout)).failures) == ("refunds", 1)
    assert (await reconcile(checkout, clean)).turns == 1


async def a_bug(_: object) -> str:
    raise KeyError("a field that Stripe left out")
