"""Webhooks keeps what its document promises, also to whoever can sign."""

import contextlib
import hmac
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import ClientSession, hdrs, web
from aiohttp.test_utils import TestServer

from shared import staff
from shared.db import open_pool
from shared.staff import Right
from tests.api import EXAMPLES, Given, examine
from tests.stripe_events import SECRET, an_event

# In place of a signature: whoever sends this has Stripe's secret.
SIGN = "sign"


@pytest.mark.timeout(max(300, 20 * EXAMPLES))  # it starts a program of its own, on what may be a busy machine
async def test_webhooks_keeps_what_its_document_promises(open_door, clean, tmp_path):
    async with open_door(request_limit_per_minute=100_000) as door, signing(door.url) as url:
        event = an_event()
        await door.deliver(event)
        given = Given(
            tokens={"stripeSignature": ("api_key", SIGN), "staffSession": ("bearer", await a_session(clean))},
            values={"path.id": [event["id"]], "query.event": [event["id"]], "path.name": ["staff.css"]},
            without=("leave",),  # it would end the session of all others
            # Stripe's own advice is 400 for what isn't signed. A cursor may look like one and hold no time.
            checks_off={"receive": "ignored_auth", "events": "positive_data_acceptance"},
        )
        await examine(url, given, tmp_path)


async def a_session(clean) -> str:
    async with open_pool(clean.url("checkout"), "checkout", clean.prefix, 2) as pool:
        async with pool.worker() as conn:
            code, _ = await staff.invite(conn, "Ada", [right.value for right in Right], timedelta(hours=8))
        async with pool.request() as conn:
            entered = await staff.enter(conn, code)
    assert entered is not None
    return entered[0]


def signed(body: bytes) -> str:
    """As Stripe signs, but also what is no text."""
    now = int(time.time())
    return f"t={now},v1={hmac.digest(SECRET.encode(), b'%d.%b' % (now, body), 'sha256').hex()}"


@contextlib.asynccontextmanager
async def signing(door_url: str) -> AsyncIterator[str]:
    """In front of the service, with Stripe's secret: it signs the body of whoever asks for it."""

    async def forward(request: web.Request) -> web.Response:
        body, headers = await request.read(), request.headers.copy()
        if headers.get("Stripe-Signature") == SIGN:
            headers["Stripe-Signature"] = signed(body)
        for name in (hdrs.CONTENT_LENGTH, hdrs.TRANSFER_ENCODING):
            headers.popall(name, None)
        url = f"{door_url}{request.raw_path}"
        async with session.request(request.method, url, data=body, headers=headers, allow_redirects=False) as answer:
            kept = answer.headers.copy()
            kept.popall(hdrs.CONTENT_LENGTH, None)
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)

    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", forward)
    async with ClientSession(auto_decompress=False) as session, TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")
