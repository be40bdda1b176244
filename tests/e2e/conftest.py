"""The four services and the stand-ins as real processes, started once for all stories."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from deploy.demo.keys import keys_from
from deploy.demo.stage import Options, Stage
from deploy.demo.walk.scene import Scene
from tests.e2e.collector import Collector

SETTINGS = {
    "CHECKOUT_STRIPE_TIMEOUT_S": "4",
    "CHECKOUT_ATTEMPT_LEASE_S": "3",
    "CHECKOUT_ATTEMPT_WAIT_S": "2",
    "CHECKOUT_EXPIRY_LEASE_S": "3",
    # Another card is in time however slow the machine is; a story that wants the failure mail ends the grace itself.
    "NOTIFIER_FAILURE_GRACE_S": "600",
    # A look for undelivered events would bring one that a story has had lost.
    "WEBHOOKS_BACKFILL_INTERVAL_S": "86400",
    "WEBHOOKS_BACKFILL_IDLE_S": "86400",
    "OTEL_BSP_SCHEDULE_DELAY": "300",
}


@pytest.fixture(scope="package")
async def collector() -> AsyncIterator[Collector]:
    async with Collector().running() as running:
        yield running


@pytest.fixture(scope="package")
def reports() -> list[str]:
    """What the supervisor said."""
    return []


@pytest.fixture(scope="package")
async def stage(backing, collector, reports) -> AsyncIterator[Stage]:
    traced = {f"{name}_OTLP_URL": collector.url for name in ("CHECKOUT", "WEBHOOKS", "NOTIFIER", "MONITOR")}
    options = Options(keys_from({}), is_shared=True, changes={**SETTINGS, **traced})
    async with Stage(backing, options, reports.append) as running:
        await running.prepare()
        await running.start()
        yield running


@pytest.fixture
async def scene(stage) -> AsyncIterator[Scene]:
    """A fair-weather shop for each story; after it, the stock must be what its journal says."""
    scene = Scene(stage, lambda _: None)
    await asyncio.gather(*(stage.supervisor.healthy(name) for name in stage.programs))
    yield scene
    await scene.watcher.control("DELETE", "deliveries/rules")
    await scene.watcher.control("DELETE", "faults")
    await assert_stock_is_what_its_journal_says(stage)


async def assert_stock_is_what_its_journal_says(stage: Stage) -> None:
    wrong = await stage.look(
        """
        SELECT s.sku, s.on_hand, s.reserved, j.on_hand AS journal_on_hand, j.reserved AS journal_reserved
        FROM checkout.stock s
        JOIN (SELECT sku, sum(on_hand_change) AS on_hand, sum(reserved_change) AS reserved
              FROM checkout.stock_journal GROUP BY sku) j USING (sku)
        WHERE (s.on_hand, s.reserved) <> (j.on_hand, j.reserved)
        """
    )
    assert wrong == []
