"""`reconcile` and `settle-finding`: comparing everything with Stripe, now, and what a person has dealt with.

With --yes the wish is written down and checkout does it. A dry run is done here, in transactions that are undone.
"""

import argparse
import asyncio
import time
from collections import Counter
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from datetime import timedelta

from deploy.ops import actor
from deploy.ops.events import moment
from deploy.ops.settings import OpsSettings
from services.checkout.actions.reconciling import people, running
from services.checkout.actions.reconciling.session import Act, BudgetSpent, Session
from services.checkout.domain.reconciling import USUAL, Policy
from services.checkout.store import reconciliations
from services.checkout.store import reconciling as finding_store
from services.checkout.store.reconciliations import Run
from services.checkout.stripe_api import Stripe
from services.webhooks import stripe_api as events_api
from services.webhooks.domain import TRANSLATIONS
from services.webhooks.store import backfill
from shared.admission import Priority
from shared.db import Pool, open_pool
from shared.errors import Invalid
from shared.stripe_client import open_account

LOOK_S = 0.5
MOST_SHOWN = 50
# A dry run for all of an outage; it reads, and somebody waits for it.
DRY_READS = 2000


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds both commands to the parser."""
    command = commands.add_parser("reconcile", help="compare everything with Stripe; without arguments, how it stands")
    command.add_argument(
        "--since", help="from then on, such as 2026-11-25T14:30 (UTC); default: where the last run ended"
    )
    what = command.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="show what would be done, and change nothing")
    what.add_argument("--yes", action="store_true", help="do it")
    command.add_argument("--reads", type=int, help=f"from Stripe at a time (default: {USUAL.reads})")
    command.add_argument("--settled-s", type=float, help="dry run: leave alone what changed so lately (default: 60)")
    command.add_argument("--shared-account", action="store_true", help="dry run: as with CHECKOUT_SHARES_ACCOUNT=true")
    command.add_argument("--wait-s", type=float, default=300, help="how long to follow it (default: 300)")
    actor.add_to(command)
    command.set_defaults(run=reconcile)

    command = commands.add_parser("settle-finding", help="say that something reconciliation raised has been dealt with")
    command.add_argument("object", help="as `reconcile` shows it: pi_…, txn_… or an order's number")
    actor.add_to(command, is_reason_required=True)
    command.set_defaults(run=settle_finding)


async def reconcile(settings: OpsSettings, arguments: argparse.Namespace) -> None:
    """Shows how it stands, what a run would do, or has one done and follows it."""
    if arguments.reads is not None and arguments.reads < 10:
        raise Invalid("fewer than 10 reads get nowhere", field="reads")
    async with _pool(settings) as pool:
        if arguments.dry_run:
            await _rehearse(settings, arguments, pool)
        elif arguments.yes:
            await _have_it_done(arguments, pool)
        else:
            await _show_standing(pool)


async def settle_finding(settings: OpsSettings, arguments: argparse.Namespace) -> None:
    """Closes what is open about an object, for good unless Stripe says something else about it."""
    async with _pool(settings) as pool, pool.worker() as conn:
        kinds = await people.leave_alone(conn, arguments.object, arguments.actor, arguments.reason)
    print(f"{arguments.object}: {', '.join(kinds)} settled. It is raised again if Stripe shows something else.")


async def _rehearse(settings: OpsSettings, arguments: argparse.Namespace, pool: Pool) -> None:
    access = settings.stripe_access()
    async with pool.worker() as conn:
        run = await people.plan(conn, moment(arguments.since), arguments.reads or DRY_READS)
    policy = replace(_waiting(arguments.settled_s), is_shared=arguments.shared_account)
    print(f"Comparing {_span(run)} with Stripe; nothing is changed.")
    await _count_undelivered(settings, run)
    async with open_account(access) as account:
        session = Session(pool, Stripe(account, Priority.BACKGROUND), policy, run, run.until, is_dry=True)
        run.stage = running.STAGES[1]
        try:
            await running.walk(session, _progress)
        except BudgetSpent:
            print(f"  {run.reads} reads are spent, and not all is compared: say --reads for more, or a later --since.")
    _show_acts(session.acts)
    print(f"{run.objects_looked} objects and {run.balance_looked} balance transactions compared, {run.reads} reads.")
    if session.acts:
        print("Nothing was changed. `reconcile --yes --reason WHY`, with the same --since, does it.")
    else:
        print("Nothing differs, and there is nothing to do.")


def _waiting(seconds: float | None) -> Policy:
    if seconds is None:
        return USUAL
    wait = timedelta(seconds=seconds)
    return Policy(settle=wait, books=wait)


async def _count_undelivered(settings: OpsSettings, run: Run) -> None:
    """The first pass is webhooks' own; here is only counted what it would find."""
    ids: list[str] = []
    more, after = True, None
    async with events_api.open_stripe(settings.stripe_access()) as stripe:
        while more:
            page = await stripe.list_undelivered(int(run.since.timestamp()), list(TRANSLATIONS), after)
            ids += [str(item["id"]) for item in page.items]
            run.reads += 1
            more, after = page.has_more and bool(page.items), ids[-1] if ids else None
    url = settings.webhooks_database_url
    pools = nullcontext(None) if url is None else open_pool(url.get_secret_value(), "webhooks", settings.role_prefix, 1)
    async with pools as pool:
        if pool is None:
            print(f"  events: {len(ids)} undelivered (OPS_WEBHOOKS_DATABASE_URL would tell which of them are here)")
            return
        async with pool.worker() as conn:
            known = await backfill.select_known(conn, ids)
    print(f"  events: {len(ids)} undelivered, {len(set(ids) - set(known))} of them are not here and would be fetched")


async def _have_it_done(arguments: argparse.Namespace, pool: Pool) -> None:
    async with pool.worker() as conn:
        run = await people.plan(conn, moment(arguments.since), arguments.reads)
        await people.wish(conn, run, arguments.actor, arguments.reason)
    print(f"run {run.id} over {_span(run)} is written down; checkout begins within seconds")
    until, said, now = time.monotonic() + arguments.wait_s, "", run
    while time.monotonic() < until:
        async with pool.worker() as conn:
            now = await reconciliations.select_run(conn, run.id) or run
        if now.finished_at is not None:
            _show_run(now)
            await _show_findings(pool)
            return
        if (line := _line(now)) != said:
            print(line)
            said = line
        await asyncio.sleep(LOOK_S)
    if now.started_at is None:
        print("Nobody has begun it: does checkout run, with CHECKOUT_RECONCILES, and is another run under way?")
    else:
        print("It is not finished. checkout goes on with it; `reconcile` without arguments tells how far it is.")


async def _show_standing(pool: Pool) -> None:
    async with pool.worker() as conn:
        standing = await reconciliations.select_standing(conn)
    if standing.last is not None:
        _show_run(standing.last)
    else:
        print("No run has finished yet.")
    if standing.open is not None:
        print(f"under way: run {standing.open.id}\n{_line(standing.open)}")
    await _show_findings(pool)


async def _show_findings(pool: Pool) -> None:
    async with pool.worker() as conn:
        found = await finding_store.list_open_findings(conn, MOST_SHOWN + 1)
    for finding, opened_at in found[:MOST_SHOWN]:
        print(f"{opened_at:%Y-%m-%d %H:%M}  {finding.kind:<16} {finding.object_id:<30} {finding.detail}")
    if len(found) > MOST_SHOWN:
        print(f"and more; these are the {MOST_SHOWN} oldest")
    if found:
        print("docs/reconciliation.md says what to do about each kind; `settle-finding OBJECT --reason …` closes one.")
    else:
        print("Nothing waits for a person.")


def _show_run(run: Run) -> None:
    assert run.finished_at is not None
    print(f"run {run.id} over {_span(run)}")
    print(f"ended {run.finished_at:%Y-%m-%d %H:%M} UTC, with {run.reads} reads in {run.turns} turns")
    print(f"  {'pass':<8} {'compared':>9} {'found':>6} {'repaired':>9} {'raised':>7}")
    events = "no answer" if run.events_answered_at is None else ""
    print(f"  {'events':<8} {run.events_listed:>9} {run.events_fetched:>6} {run.events_fetched:>9} {0:>7}  {events}")
    for name in ("objects", "balance"):
        looked, found, repaired, raised = (
            getattr(run, f"{name}_{what}") for what in ("looked", "found", "repaired", "raised")
        )
        print(f"  {name:<8} {looked:>9} {found:>6} {repaired:>9} {raised:>7}")


def _show_acts(acts: list[Act]) -> None:
    for act in acts[:MOST_SHOWN]:
        print(f"  {act.outcome:<9} {act.kind:<16} {act.object_id:<30} {act.number or ''}")
    if len(acts) > MOST_SHOWN:
        print(f"  and {len(acts) - MOST_SHOWN} more")
    for (outcome, kind), count in sorted(Counter((act.outcome, act.kind) for act in acts).items()):
        print(f"{count:7}  {kind} would be {outcome}")


def _progress(run: Run) -> None:
    print(_line(run))


def _line(run: Run) -> str:
    return (
        f"  {run.stage}: {run.objects_looked + run.balance_looked} compared,"
        f" {run.objects_found + run.balance_found} found, {run.reads} reads"
    )


def _span(run: Run) -> str:
    return f"{run.since:%Y-%m-%d %H:%M} to {run.until:%Y-%m-%d %H:%M} UTC"


def _pool(settings: OpsSettings) -> AbstractAsyncContextManager[Pool]:
    return open_pool(settings.database_url.get_secret_value(), "checkout", settings.role_prefix, 2)
