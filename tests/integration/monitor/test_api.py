"""The monitor keeps what its document promises."""

import pytest
from aiohttp.test_utils import TestClient, TestServer

from services.monitor.app import make
from services.monitor.handlers import DESK
from tests.api import EXAMPLES, Given, examine
from tests.integration.monitor.conftest import wait_until


@pytest.mark.timeout(max(300, 20 * EXAMPLES))  # it starts a program of its own, on what may be a busy machine
async def test_the_monitor_keeps_what_its_document_promises(settings, tmp_path):
    app = make(settings(request_limit_per_minute=100_000))
    async with TestClient(TestServer(app)) as client:
        await wait_until(lambda: app[DESK].bus.is_connected)
        await examine(str(client.make_url("")).rstrip("/"), Given(values={"path.name": ["monitor.css"]}), tmp_path)
