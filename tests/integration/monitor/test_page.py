"""The page and its JSON: for our own network, escaped, live, and gone when the process drains."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer

from services.monitor import actions
from services.monitor.actions.evaluating import Context
from services.monitor.app import make
from services.monitor.domain.incidents import Open
from services.monitor.domain.rules import Alert, Severity
from services.monitor.handlers import DESK
from shared.permissions import Permission
from shared.web import DRAINING
from tests.integration.monitor.conftest import wait_until
from tests.permissions import HEALTH, permissions

EVIL = "<script>alert('x')</script>&\"'"


@asynccontextmanager
async def running(settings) -> AsyncIterator[TestClient]:
    async with TestClient(TestServer(make(settings))) as client:
        await wait_until(lambda: client.app[DESK].bus.is_connected)
        yield client


@pytest.fixture
async def monitor(settings) -> AsyncIterator[TestClient]:
    """It evaluates as it runs, and what a test writes down as an incident it finds well: not while the test looks."""
    calm = {"silent_after_s": 60, "broker_away_after_s": 60, "clear_for_s": 600}
    async with running(settings(trusted_hops=1, live_clients=2, **calm)) as client:
        yield client


async def an_evil_incident(pool) -> None:
    alert = Alert("dead_letters", f"queue {EVIL}", Severity.WARNING, f"summary {EVIL}", 3)
    async with pool.worker() as conn:
        await actions.make(conn, Open(alert), Context(datetime.now(UTC), ()))
        await conn.execute(
            """
            INSERT INTO seen_events (id, type, occurred_at, order_id, order_number, category, amount_minor, currency)
            VALUES ($1, 'order.paid', now(), $2, $3, $3, 12900, 'usd')
            """,
            uuid4(),
            uuid4(),
            EVIL,
        )


async def test_every_route_says_who_may_call_it(monitor):
    internal = ("/", "/dashboard", "/static/{name}", "/live", "/metrics", "/v1/incidents", "/v1/status")

    assert permissions(monitor.app) == HEALTH | {f"GET {path}": Permission.INTERNAL for path in internal}


@pytest.mark.parametrize(
    "path", ["/", "/dashboard", "/static/monitor.css", "/live", "/metrics", "/v1/incidents", "/v1/status"]
)
async def test_a_stranger_gets_403(monitor, path):
    response = await monitor.get(path, headers={"X-Forwarded-For": "203.0.113.9"})

    assert (response.status, (await response.json())["code"]) == (403, "internal_only")


async def test_whatever_is_shown_is_escaped(monitor, pool):
    await an_evil_incident(pool)

    html = await (await monitor.get("/")).text()

    assert "<script>alert" not in html
    assert html.count("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;") >= 4


async def test_the_page_allows_nothing_but_its_own_files_and_has_no_inline_code(monitor):
    response = await monitor.get("/dashboard")
    html = await response.text()

    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert not re.search(r"<script(?![^>]+src=)|<style| style=| on\w+=", html)
    for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', html):
        assert (await monitor.get(path)).status == 200, path


async def test_the_page_can_be_read_without_javascript_and_by_screen_readers(monitor, pool):
    await an_evil_incident(pool)

    html = await (await monitor.get("/")).text()

    assert '<noscript><meta http-equiv="refresh"' in html
    assert '<html lang="en">' in html
    assert all(landmark in html for landmark in ("<header>", '<main id="main">', "<footer>", 'aria-live="polite"'))
    assert html.count("<table>") == html.count("<thead>")
    assert "<th scope=" in html
    assert re.search(r"<th(?! scope=)\b", html) is None
    assert ">129.00<" in html


@pytest.mark.parametrize("name", ["..%2Fapp.py", "nothing.js"])
async def test_no_other_file_is_served(monitor, name):
    assert (await monitor.get(f"/static/{name}")).status == 404


async def test_incidents_as_json_open_ones_first(monitor, pool):
    await an_evil_incident(pool)
    async with pool.worker() as conn:
        await conn.execute("UPDATE incidents SET clear_since = now(), resolved_at = now()")
    await an_evil_incident(pool)

    found = (await (await monitor.get("/v1/incidents")).json())["incidents"]

    assert [each["resolved_at"] is None for each in found] == [True, False]
    assert found[0]["previous_incident_id"] == found[1]["id"]
    assert found[0]["title"] == "Dead letters"


async def test_status_as_json_is_what_the_page_shows(monitor):
    await wait_until(lambda: "monitor" in monitor.app[DESK].sightings.heard)

    status = await (await monitor.get("/v1/status")).json()

    assert {"services", "payments", "requests", "incidents", "events", "dead_letters", "broker"} <= status.keys()
    assert {each["name"]: each["state"] for each in status["services"]}["monitor"] == "heard"
    assert {each["name"]: each["state"] for each in status["services"]}["checkout"] == "unknown"


async def test_metrics_are_what_prometheus_reads(monitor):
    response = await monitor.get("/metrics")

    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b'monitor_incidents_open{instance="host:1",service="monitor",severity="critical"}' in await response.read()


async def first_status(response) -> dict:
    async for line in response.content:
        if line.startswith(b"data: "):
            return orjson.loads(line.removeprefix(b"data: "))
    raise AssertionError("the stream ended")


async def test_the_stream_brings_the_sections_as_they_are(monitor, pool):
    await an_evil_incident(pool)
    async with monitor.get("/live") as response:
        assert response.content_type == "text/event-stream"
        message = await asyncio.wait_for(first_status(response), 30)

    assert message["sections"].keys() == {"headline", "services", "figures", "incidents", "events"}
    assert "&lt;script&gt;" in message["sections"]["incidents"]


async def test_only_so_many_may_watch_and_a_place_is_free_again_when_one_leaves(monitor):
    first, second = await monitor.get("/live"), await monitor.get("/live")
    refused = await monitor.get("/live")
    assert (refused.status, (await refused.json())["code"]) == (503, "too_many_watch")
    assert refused.headers["Retry-After"] == "10"

    first.close()

    async def is_free() -> bool:
        async with monitor.get("/live") as response:
            return response.status == 200

    await wait_until(is_free)
    second.close()


async def test_the_stream_ends_when_the_process_drains(monitor):
    async with monitor.get("/live") as response:
        await asyncio.wait_for(first_status(response), 30)
        monitor.app[DRAINING].set()
        await asyncio.wait_for(response.content.read(), 30)


async def test_the_page_says_what_memory_knows_while_the_database_is_away(monitor, owner, clean):
    await wait_until(lambda: "monitor" in monitor.app[DESK].sightings.heard)
    role = f"{clean.prefix}_monitor"
    await owner.execute(f'ALTER ROLE "{role}" NOLOGIN')
    try:
        # With a timeout it waits for the end of each: a signal alone is taken when its process runs next.
        await owner.execute("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE usename = $1", role)
        response = await monitor.get("/")
        html = await response.text()
    finally:
        await owner.execute(f'ALTER ROLE "{role}" LOGIN')

    assert response.status == 200
    assert "The database is away" in html
