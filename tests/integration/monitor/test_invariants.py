"""Each invariant is broken on purpose, and reported by its name."""

from datetime import UTC, datetime

import asyncpg
import pytest

from services.monitor import actions
from services.monitor.store import invariants
from shared.ids import uuid7

ORDER = uuid7()

PAID = """
    INSERT INTO checkout.orders (id, number, email, locale, currency, subtotal_minor, total_minor, shipping_address,
        payment, reserved_until, expiry_due_at, paid_at) VALUES ($1, 'K-1', 'a@b.example', 'en', 'usd', 1000, 1000,
        '{}', 'paid', now(), now(), $2)
"""
PAYMENT = """
    INSERT INTO checkout.payments (payment_intent_id, order_id, status, currency, amount_minor,
        amount_received_minor, settles) VALUES ('pi_1', $1, 'succeeded', 'usd', 1000, 1000, true)
"""
GOODS = """
    INSERT INTO checkout.products (id, name, category) VALUES ('a', 'a', 'a');
    INSERT INTO checkout.variants (sku, product_id, size, colour) VALUES ('A', 'a', 'a', 'a');
    INSERT INTO checkout.stock (sku) VALUES ('A');
"""
# What breaks each invariant, as the owner, past every constraint and trigger.
BREAKS = {
    "money_one_settling_payment": "UPDATE checkout.payments SET settles = false",
    "money_refunds_within_payment": "UPDATE checkout.orders SET refunded_minor = 5",
    "money_news_is_taken_in": "INSERT INTO checkout.resyncs (payment_intent_id, order_id, reason, tries)"
    " SELECT 'pi_1', id, 'refund.created', 6 FROM checkout.orders",
    "money_refunds_are_answered": "INSERT INTO checkout.payment_attempts"
    " (id, order_id, operation, request, lease_until)"
    " SELECT gen_random_uuid(), id, 'create_refund', '{}', now() FROM checkout.orders;"
    " INSERT INTO checkout.refunds (id, order_id, payment_intent_id, attempt_id, amount_minor, currency, state, reason,"
    " actor, created_at) SELECT gen_random_uuid(), order_id, 'pi_1', id, 1000, 'usd', 'requested', 'x', 'x',"
    " now() - interval '2 hours' FROM checkout.payment_attempts",
    "money_ledger_sums_to_zero": "UPDATE checkout.ledger_entries SET amount_minor = 7 WHERE position = 1",
    "money_ledger_equals_payments": "DELETE FROM checkout.ledger_entries; DELETE FROM checkout.ledger_transactions",
    "stock_equals_its_journal": "UPDATE checkout.stock SET on_hand = 3",
    "stock_parcels_within_order": "INSERT INTO checkout.order_lines (order_id, position, sku, name, variant, quantity,"
    " unit_price_minor, tax_minor, tax_millionths, tax_included)"
    " SELECT id, 0, 'A', 'a', 'a', 1, 1000, 0, 0, false FROM checkout.orders;"
    " INSERT INTO checkout.parcels (id, order_id, carrier, actor)"
    " SELECT gen_random_uuid(), id, 'UPS', 'x' FROM checkout.orders;"
    " INSERT INTO checkout.parcel_lines SELECT id, order_id, 0, 2 FROM checkout.parcels",
    "stock_reserved_equals_open_orders": "UPDATE checkout.stock SET on_hand = 3, reserved = 2",
    "mail_paid_orders_are_confirmed": "UPDATE checkout.orders SET paid_at = now() - interval '1 hour'",
    "orders_held_are_known": "UPDATE checkout.orders SET hold = 'review';"
    " INSERT INTO checkout.order_timeline (id, order_id, at, what, actor)"
    " SELECT gen_random_uuid(), id, now() - interval '1 hour', 'held', 'x' FROM checkout.orders",
    "mail_parcels_are_told": "INSERT INTO checkout.parcels (id, order_id, carrier, actor, shipped_at)"
    " SELECT gen_random_uuid(), id, 'UPS', 'x', now() - interval '1 hour' FROM checkout.orders",
    "events_are_published": "INSERT INTO notifier.outbox (id, type, body, staged_at)"
    " VALUES (gen_random_uuid(), 'x', 'x', now() - interval '1 hour')",
}


@pytest.fixture
async def shop(clean, owner):
    """An order that is paid, booked and as it must be."""
    await owner.execute(PAID, ORDER, datetime.now(UTC))
    await owner.execute(PAYMENT, ORDER)
    await owner.execute(GOODS)
    async with owner.transaction():
        transaction_id = uuid7()
        await owner.execute(
            "INSERT INTO checkout.ledger_transactions VALUES ($1, 'payment', 'pi_1', $2)", transaction_id, ORDER
        )
        for position, account, amount in ((0, "stripe_pending", 1000), (1, "sales", -1000)):
            await owner.execute(
                "INSERT INTO checkout.ledger_entries VALUES ($1, $2, $3, 'usd', $4)",
                transaction_id,
                position,
                account,
                amount,
            )
    return clean


async def break_it(owner: asyncpg.Connection, statements: str) -> None:
    tables = ("checkout.ledger_entries", "checkout.ledger_transactions", "checkout.parcel_lines", "checkout.stock")
    for table in tables:
        await owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    try:
        await owner.execute(statements)
    finally:
        for table in tables:
            await owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def test_each_invariant_has_a_test_that_breaks_it():
    assert {invariant.name for invariant in invariants.invariants()} == set(BREAKS)
    assert all(invariant.sentence.endswith(".") for invariant in invariants.invariants())


async def test_a_shop_that_is_as_it_must_be_breaks_none(shop):
    assert await invariants.ask_all(shop.auditor_url) == invariants.Answers()


@pytest.mark.parametrize("name", BREAKS)
async def test_a_broken_invariant_is_reported_by_its_name(shop, owner, name):
    await break_it(owner, BREAKS[name])
    assert name in (await invariants.ask_all(shop.auditor_url)).broken


async def test_a_broken_invariant_opens_an_incident_that_names_it_and_ends_when_it_holds_again(make_desk, shop, owner):
    desk = make_desk(auditor_url=shop.auditor_url, clear_for_s=1e-6)
    await break_it(owner, BREAKS["stock_equals_its_journal"])
    await actions.check_invariants(desk)
    await actions.evaluate(desk)
    [incident] = await owner.fetch("SELECT rule, subject, summary FROM monitor.incidents")
    assert (incident["rule"], incident["subject"]) == ("invariant_broken", "stock_equals_its_journal")
    assert "A: 3 on hand" in incident["summary"]
    await break_it(owner, "UPDATE checkout.stock SET on_hand = 0")
    await actions.check_invariants(desk)
    for _ in range(3):
        await actions.evaluate(desk)
    assert await owner.fetchval("SELECT count(*) FROM monitor.incidents WHERE resolved_at IS NULL") == 0


async def test_when_the_database_can_not_be_asked_nothing_is_known_and_that_is_told(make_desk, shop, owner):
    desk = make_desk(auditor_url="postgresql://nobody:x@127.0.0.1:1/none")
    desk.sightings.broken = {"a": "b"}
    await actions.check_invariants(desk)
    assert desk.sightings.broken is None
    await actions.check_invariants(desk)
    await actions.check_invariants(desk)
    await actions.evaluate(desk)
    assert await unchecked(owner) == [("all", "none of the invariants could be checked, 3 times in a row")]


async def test_one_that_can_not_be_asked_keeps_no_other_from_being_asked_and_is_told(make_desk, shop, owner):
    desk = make_desk(auditor_url=shop.auditor_url, clear_for_s=1e-6)
    await break_it(owner, BREAKS["money_refunds_within_payment"])
    role = f"{shop.prefix}_auditor"
    await owner.execute(f"REVOKE SELECT ON checkout.stock FROM {role}")
    try:
        for _ in range(3):
            await actions.check_invariants(desk)
        await actions.evaluate(desk)
    finally:
        await owner.execute(f"GRANT SELECT ON checkout.stock TO {role}")
    assert list(desk.sightings.broken) == ["money_refunds_within_payment"]
    assert [name for name, _ in await unchecked(owner)] == [
        "stock_equals_its_journal",
        "stock_reserved_equals_open_orders",
    ]
    await actions.check_invariants(desk)
    for _ in range(3):
        await actions.evaluate(desk)
    assert await unchecked(owner) == []


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Invariants of the test's own, by name."""
    monkeypatch.setattr(invariants, "FOLDER", tmp_path)

    def write(**queries: str) -> None:
        for name, query in queries.items():
            (tmp_path / f"{name}.sql").write_text(f"-- The sentence of {name}.\n{query}\n", encoding="utf-8")

    return write


async def test_a_question_that_takes_too_long_is_broken_off_and_the_others_are_asked(shop, folder, monkeypatch):
    monkeypatch.setattr(invariants, "TIMEOUT_S", 2)
    folder(a_slow="SELECT 'x' AS what FROM pg_sleep(90)", b_broken="SELECT 'y' AS what")

    answers = await invariants.ask_all(shop.auditor_url)

    assert answers.unanswered == {"a_slow": "QueryCanceledError"}
    assert list(answers.broken) == ["b_broken"]


async def test_of_many_rows_all_are_counted_and_few_are_fetched(shop, folder):
    folder(many="SELECT 'row ' || n AS what FROM generate_series(1, 5000) n")

    (found,) = (await invariants.ask_all(shop.auditor_url)).broken.values()

    assert (found.rows, found.first) == (5000, ("row 1", "row 2", "row 3"))


async def unchecked(owner) -> list[tuple[str, str]]:
    rows = await owner.fetch(
        "SELECT subject, summary FROM monitor.incidents WHERE rule = 'invariants_unchecked' AND resolved_at IS NULL"
        " ORDER BY subject"
    )
    return [tuple(row) for row in rows]
