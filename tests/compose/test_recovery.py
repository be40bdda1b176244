"""What dies comes back, and nothing that was promised is lost meanwhile."""

import asyncio
import contextlib

import aiohttp

from deploy.demo.shopper import Shopper
from deploy.demo.waiting import until
from tests.compose.suite import SERVICES, Suite, Watch

# The service is the child of the container's init; a signal to the init itself is ignored from inside.
CRASH = """
import os, pathlib, signal
for status in pathlib.Path("/proc").glob("[0-9]*/status"):
    facts = dict(line.split(":\\t", 1) for line in status.read_text().splitlines() if ":\\t" in line)
    if facts["PPid"] == "1" and int(facts["Pid"]) != os.getpid():
        os.kill(int(facts["Pid"]), signal.SIGKILL)
"""


async def test_a_killed_service_is_started_again_by_itself(suite: Suite, shopper: Shopper, watch: Watch) -> None:
    for service in ("webhooks", "checkout", "notifier"):
        before = (await asyncio.to_thread(suite.inspect, service))["RestartCount"]
        # The container may be gone before this command has ended, and it with it.
        with contextlib.suppress(AssertionError):
            await asyncio.to_thread(suite.python, service, CRASH)
        await until(lambda name=service, count=before: _restarted(suite, name, count), f"{service} is back", 120)
    await suite.healthy("webhooks", "checkout", "notifier")
    placed = await shopper.place()
    await shopper.pay(placed)
    await watch.until_mailed(placed.email, placed.number)


async def _restarted(suite: Suite, service: str, before: int) -> bool:
    found = await asyncio.to_thread(suite.inspect, service)
    return bool(found["RestartCount"] > before and found["State"]["Running"])


async def test_a_service_that_is_stopped_leaves_in_order(suite: Suite) -> None:
    await suite.healthy(*SERVICES)
    for service in SERVICES:
        await asyncio.to_thread(suite.compose, "stop", service)
        found = await asyncio.to_thread(suite.inspect, service)
        assert found["State"]["ExitCode"] == 0, suite.compose("logs", "--tail", "20", service)
        logs = await asyncio.to_thread(suite.compose, "logs", "--no-log-prefix", "--tail", "5", service)
        assert '"stopped"' in logs, logs
    await asyncio.to_thread(suite.compose, "start", *SERVICES)
    await suite.healthy(*SERVICES)


async def test_a_purchase_while_the_broker_is_away_is_settled_when_it_is_back(
    suite: Suite, shopper: Shopper, watch: Watch
) -> None:
    await asyncio.to_thread(suite.compose, "stop", "rabbitmq")
    placed = await shopper.place()
    await shopper.pay(placed)
    await asyncio.sleep(2)  # long enough for the webhook to have come
    assert (await shopper.look(placed))["payment"] == "awaiting"
    assert (await asyncio.to_thread(suite.inspect, "checkout"))["State"]["Running"]

    await asyncio.to_thread(suite.compose, "start", "rabbitmq")
    await shopper.until_it_is("paid", placed, within_s=180)
    await watch.until_mailed(placed.email, placed.number)
    await suite.healthy("rabbitmq", *SERVICES)


async def test_what_the_broker_holds_outlives_its_container(suite: Suite, shopper: Shopper, watch: Watch) -> None:
    await asyncio.to_thread(suite.compose, "stop", "notifier")
    placed = await shopper.place()
    await shopper.pay(placed)
    await shopper.until_it_is("paid", placed, within_s=120)

    await asyncio.to_thread(suite.compose, "up", "--detach", "--no-deps", "--force-recreate", "rabbitmq")
    await suite.healthy("rabbitmq")
    assert await watch.mails(placed.email) == []
    await asyncio.to_thread(suite.compose, "start", "notifier")
    await watch.until_mailed(placed.email, placed.number)
    await suite.healthy(*SERVICES)


async def test_the_shop_says_that_it_can_not_while_the_database_is_away_and_goes_on_after(
    suite: Suite, shopper: Shopper, watch: Watch, http: aiohttp.ClientSession
) -> None:
    basket, key = shopper.basket(), "while-the-database-is-away"
    await asyncio.to_thread(suite.compose, "stop", "postgres")
    status, problem = await shopper.try_to_place(basket, key)
    assert (status, problem["code"]) == (503, "database_away")
    # What it last said of itself is kept for a second.
    await until(lambda: _is_unready(suite, http), "checkout says that it is not ready", 60)

    await asyncio.to_thread(suite.compose, "start", "postgres")
    await suite.healthy("postgres", *SERVICES)
    placed = await shopper.place(basket, key)
    await shopper.pay(placed)
    await watch.until_mailed(placed.email, placed.number)


async def _is_unready(suite: Suite, http: aiohttp.ClientSession) -> bool:
    async with http.get(f"{suite.url('checkout')}/readyz") as ready:
        return ready.status == 503


async def test_a_second_up_changes_nothing(suite: Suite) -> None:
    before = {service: (await asyncio.to_thread(suite.inspect, service))["Id"] for service in SERVICES}
    await asyncio.to_thread(suite.compose, "up", "--detach", "--wait", "--no-build", within_s=300)
    assert {service: suite.inspect(service)["Id"] for service in SERVICES} == before
    assert "migrate: nothing to do" in suite.compose("logs", "--no-log-prefix", "migrate")
