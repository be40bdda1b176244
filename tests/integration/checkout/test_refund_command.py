"""`python -m deploy.ops refund`, `ship` and `parcel` as an operator runs them."""

import asyncio
import os
import sys
from pathlib import Path

from tests.integration.checkout.money import a_paid_order, given_back, quiet, refunds_of, row_of, want

ROOT = Path(__file__).parents[3]


async def ops(database, amqp_url, *arguments: str, **more: str) -> tuple[int, str]:
    env = {
        "PATH": os.environ["PATH"],
        "OPS_DATABASE_URL": database.url("checkout"),
        "OPS_AMQP_URL": amqp_url,
        "OPS_ROLE_PREFIX": database.prefix,
        **more,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.ops", *arguments, env=env, cwd=ROOT, stdout=-1, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_the_command_says_what_it_would_do_and_does_it_only_when_told(checkout, clean, amqp_url, stripe, owner):
    placed = await a_paid_order(checkout, stripe)
    wish = ("refund", placed["order"]["number"], "--line", "0:1", "--reason", "one too many", "--restock")
    code, said = await ops(clean, amqp_url, *wish)
    assert (code, "6500 usd" in said, "Add --yes" in said) == (0, True, True), said
    assert await refunds_of(owner, placed) == []
    code, said = await ops(clean, amqp_url, *wish, "--actor", "ops ada", "--yes")
    assert (code, "is succeeded" in said) == (0, True), said
    assert await given_back(stripe, placed) == 6500
    assert await refunds_of(owner, placed) == [(6500, "succeeded", "ops ada")]


async def test_the_command_refuses_what_can_not_be_with_a_sentence(checkout, clean, amqp_url, stripe):
    placed = await a_paid_order(checkout, stripe)
    number = placed["order"]["number"]
    for wrong in (
        ("refund", "K-0000-0000", "--reason", "x"),
        ("refund", number, "--amount-minor", "999999", "--reason", "x"),
        ("refund", number, "--line", "zero", "--reason", "x"),
        ("release-hold", number, "--reason", "x"),
        ("ship", number, "--carrier", "UPS", "--line", "0:3"),
    ):
        code, said = await ops(clean, amqp_url, *wrong)
        assert (code, said.startswith("ops: "), "Traceback" in said) == (1, True, False), said


async def test_a_person_who_dealt_with_a_failed_refund_frees_the_order(checkout, clean, amqp_url, stripe, owner):
    placed = await a_paid_order(checkout, stripe)
    await stripe.post("refunds", payment_intent=placed["payment_intent_id"])
    await want(checkout, placed)
    await quiet(checkout)
    assert (await row_of(owner, placed))[3] == "refund_failed"
    code, said = await ops(clean, amqp_url, "release-hold", placed["order"]["number"], "--reason", "already done")
    assert (code, "hold is now none" in said) == (0, True), said
    assert (await row_of(owner, placed))[3] == "none"


async def test_the_commands_send_an_order_and_say_that_it_came_back(checkout, clean, amqp_url, stripe, owner):
    placed = await a_paid_order(checkout, stripe)
    number = placed["order"]["number"]
    code, said = await ops(clean, amqp_url, "ship", number, "--carrier", "UPS", "--actor", "ops ada")
    assert (code, said.endswith(f"2 of line 0; order {number} is shipped\n")) == (0, True), said
    parcel_id = str(await owner.fetchval("SELECT id FROM checkout.parcels WHERE actor = 'ops ada'"))
    code, said = await ops(clean, amqp_url, "parcel", number, parcel_id, "returned", "--reason", "nobody there")
    assert (code, said) == (0, f"parcel {parcel_id} is returned; order {number} is returned\n")
