"""`python -m deploy.ops reconcile` as an operator runs it."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

from services.checkout.app import make
from tests.integration.checkout.comparing import everything, lose_rows
from tests.integration.checkout.conftest import PATIENCE_S, SECRET, serving, settings_for
from tests.integration.checkout.money import a_paid_order, row_of
from tests.integration.checkout.test_payments import state_of
from tests.integration.checkout.test_reconciliation_findings import A_PAYMENT
from tests.integration.checkout.test_refund_command import ops

DRY = ("reconcile", "--dry-run", "--settled-s", "0")


async def a_shop_with_holes(checkout, stripe, owner) -> tuple[dict, dict, str]:
    """A payment nobody heard of, one whose row is lost, and one that is of no order."""
    _, unheard = await checkout.place()
    await stripe.pay(unheard["payment_intent_id"])
    lost = await a_paid_order(checkout, stripe)
    await lose_rows(owner, [lost["payment_intent_id"]])
    _, theirs = await stripe.post("payment_intents", **A_PAYMENT)
    return unheard, lost, theirs["id"]


async def test_a_dry_run_shows_what_would_be_done_and_no_row_differs_afterwards(
    checkout, clean, amqp_url, stripe, owner
):
    unheard, lost, theirs = await a_shop_with_holes(checkout, stripe, owner)
    async with asyncio.timeout(PATIENCE_S):  # until what was staged is published
        while await owner.fetchval("SELECT EXISTS (SELECT FROM checkout.outbox WHERE published_at IS NULL)"):
            await asyncio.sleep(0.05)
    before = await everything(owner)
    reading = {"OPS_STRIPE_SECRET_KEY": SECRET, "OPS_STRIPE_URL": stripe.url}
    reading["OPS_WEBHOOKS_DATABASE_URL"] = clean.url("webhooks")
    code, said = await ops(clean, amqp_url, *DRY, **reading)
    assert code == 0, said
    assert await everything(owner) == before
    for outcome, kind, payment in (
        ("repaired", "behind", unheard["payment_intent_id"]),
        ("repaired", "row_missing", lost["payment_intent_id"]),
        ("raised", "no_order", theirs),
    ):
        assert re.search(rf"{outcome} +{kind} +{payment}", said), said
    assert re.search(r"events: \d+ undelivered, \d+ of them are not here", said), said
    assert "Nothing was changed. `reconcile --yes" in said
    code, said = await ops(clean, amqp_url, *DRY, "--shared-account", **reading)
    assert (code, "row_missing" in said, "no_order" in said) == (0, True, False), said


async def test_a_dry_run_says_what_it_needs(clean, pool, amqp_url):
    code, said = await ops(clean, amqp_url, *DRY)
    assert (code, "OPS_STRIPE_SECRET_KEY" in said, "Traceback" in said) == (1, True, False), said
    code, said = await ops(clean, amqp_url, "reconcile", "--yes", "--since", "2999-01-01")
    assert (code, "in the future" in said) == (1, True), said


async def test_with_yes_checkout_does_it_and_the_command_shows_what_waits_for_a_person(
    checkout, clean, amqp_url, stripe, http, owner
):
    unheard, lost, theirs = await a_shop_with_holes(checkout, stripe, owner)
    at_once = {"reconciles": True, "reconcile_settle_s": 0, "reconcile_answer_s": 0, "reconcile_interval_s": 0.1}
    async with serving(make(settings_for(clean, amqp_url, stripe.url, **at_once)), http):
        since = (datetime.now(UTC) - timedelta(days=3)).date().isoformat()
        wish = ("reconcile", "--yes", "--since", since, "--reason", "after the outage", "--actor", "ops ada")
        code, said = await ops(clean, amqp_url, *wish, "--wait-s", str(PATIENCE_S))
    assert code == 0, said
    assert (await state_of(owner, unheard), (await row_of(owner, lost))[0]) == (("paid", "none"), "paid")
    assert re.search(rf"no_order +{theirs}", said), said
    wished = "SELECT reason FROM audit.log WHERE action = 'reconciliation.want' AND actor = 'ops ada' ORDER BY at DESC"
    assert await owner.fetchval(wished) == "after the outage"
    code, said = await ops(clean, amqp_url, "settle-finding", theirs, "--reason", "sold by hand")
    assert (code, "no_order settled" in said) == (0, True), said
    code, said = await ops(clean, amqp_url, "reconcile")
    assert (code, "Nothing waits for a person." in said) == (0, True), said
