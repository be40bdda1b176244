"""The staff's view: nobody sees anything without a session, and what is seen is recorded and holds no secret."""

import asyncio
import os
import re
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
import asyncpg
import pytest
from pydantic import SecretStr

from shared import staff
from shared.db import open_pool
from shared.permissions import Permission
from tests.integration.webhooks.conftest import Door
from tests.integration.webhooks.test_process import ROOT
from tests.permissions import permissions, undeclared
from tests.stripe_events import a_payment_intent, an_event

BOTH = ["events.read", "events.resync"]
EVIL = "<script>alert('x')</script>&\"'"


@dataclass
class Browser:
    """Somebody's browser, which keeps cookies and names its origin as browsers do."""

    door: Door
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **headers: str) -> aiohttp.ClientResponse:
        return await self.ask("GET", path, headers=headers)

    async def post(self, path: str, form: dict[str, str], **headers: str) -> aiohttp.ClientResponse:
        return await self.ask("POST", path, data=form, headers={"Origin": self.door.url, **headers})

    async def ask(self, method: str, path: str, headers: dict[str, str], **more: Any) -> aiohttp.ClientResponse:
        jar, url = aiohttp.CookieJar(unsafe=True), self.door.url + path
        async with (
            aiohttp.ClientSession(cookies=self.cookies, cookie_jar=jar) as session,
            session.request(method, url, allow_redirects=False, headers=headers, **more) as response,
        ):
            await response.read()
        self.cookies |= {name: morsel.value for name, morsel in response.cookies.items()}
        return response

    async def page(self, path: str) -> str:
        response = await self.get(path)
        assert response.status == 200
        return await response.text()

    async def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', await self.page("/staff/events"))
        assert found is not None
        return found[1]


@pytest.fixture
async def door(open_door):
    """With a key, without which nothing can be told again; of Stripe itself nothing is heard here."""
    async with open_door(stripe_secret_key=SecretStr("rk_test_standin"), stripe_url="http://127.0.0.1:1") as door:
        yield door


@pytest.fixture
async def invite(clean):
    """A sign-in code for an account with these rights."""
    async with open_pool(clean.url("checkout"), "checkout", clean.prefix, 2) as pool:

        async def invite(rights: list[str], name: str = "Ada") -> str:
            async with pool.worker() as conn:
                code, _ = await staff.invite(conn, name, rights, timedelta(hours=8))
            return code

        yield invite


@pytest.fixture
async def signed_in(door, invite):
    async def signed_in(*rights: str, name: str = "Ada") -> Browser:
        browser = Browser(door)
        response = await browser.post("/staff/enter", {"code": await invite(list(rights), name)})
        assert (response.status, response.headers["Location"]) == (303, "/staff/events")
        return browser

    return signed_in


@pytest.fixture
async def ada(signed_in) -> Browser:
    return await signed_in(*BOTH)


async def audited(owner: asyncpg.Connection, action: str) -> list[asyncpg.Record]:
    """What of the kind was recorded during this test: the trail itself is never emptied."""
    return await owner.fetch(
        "SELECT * FROM audit.log WHERE action = $1 AND at >= (SELECT min(created_at) FROM staff.accounts) ORDER BY at",
        action,
    )


STAFF_ROUTES = [
    ("GET", "/staff/events"),
    ("GET", "/staff/events/evt_1"),
    ("POST", "/staff/events/evt_1/resync"),
    ("POST", "/staff/leave"),
]


def test_every_route_of_staff_is_for_staff(door):
    assert undeclared(door.app) == []
    found = {route: each for route, each in permissions(door.app).items() if "/staff/" in route}
    public = {"GET /staff/enter", "POST /staff/enter", "GET /staff/static/{name}"}
    assert {route for route, each in found.items() if each is Permission.PUBLIC} == public
    assert {each for route, each in found.items() if route not in public} == {Permission.STAFF}
    assert len(found) == len(public) + len(STAFF_ROUTES)


@pytest.mark.parametrize(("method", "path"), STAFF_ROUTES)
@pytest.mark.parametrize("cookie", ["", "nonsense", "x" * 5000, "é"])
async def test_nobody_gets_in_without_a_session(door, method, path, cookie):
    browser = Browser(door, {"kct_staff": cookie})
    response = await browser.ask(method, path, headers={"Origin": door.url})
    assert response.status in (400, 401)  # 400: a header of that size isn't read
    assert "evt" not in await response.text()
    bearer = await Browser(door).ask(method, path, headers={"Authorization": "Bearer nonsense"})
    assert bearer.status == 401


async def test_a_browser_without_a_session_is_sent_to_the_entrance(door):
    response = await Browser(door).get("/staff/events", Accept="text/html")
    assert (response.status, response.headers["Location"]) == (303, "/staff/enter")
    assert (await Browser(door).get("/staff/enter")).status == 200


@pytest.mark.parametrize(
    "ending",
    [
        "UPDATE staff.sessions SET expires_at = now() - interval '1 second'",
        "UPDATE staff.sessions SET seen_at = now() - interval '15 minutes 1 second'",
        "UPDATE staff.sessions SET revoked_at = now()",
        "UPDATE staff.accounts SET disabled_at = now()",
        "DELETE FROM staff.sessions",
    ],
)
async def test_a_session_that_is_over_opens_nothing(door, ada, owner, ending):
    csrf = await ada.csrf()
    await owner.execute(ending)
    for method, path in STAFF_ROUTES:
        response = await ada.ask(method, path, headers={"Origin": door.url}, data={"csrf": csrf} if csrf else None)
        assert response.status == 401


async def test_a_session_in_use_does_not_grow_idle(ada, owner):
    await owner.execute("UPDATE staff.sessions SET seen_at = now() - interval '10 minutes'")
    await ada.page("/staff/events")
    assert await owner.fetchval("SELECT now() - seen_at < interval '5 seconds' FROM staff.sessions")


async def test_what_is_stored_opens_nothing(door, ada, owner):
    (token,) = ada.cookies.values()
    row = await owner.fetchrow("SELECT * FROM staff.sessions")
    assert token not in str(dict(row))
    assert (await Browser(door, {"kct_staff": row["token_hash"].hex()}).get("/staff/events")).status == 401


async def test_a_code_is_good_once_and_for_a_while(door, invite, owner):
    code = await invite(BOTH)
    assert code not in str(await owner.fetch("SELECT * FROM staff.sign_in_codes"))
    assert (await Browser(door).post("/staff/enter", {"code": code})).status == 303
    assert (await Browser(door).post("/staff/enter", {"code": code})).status == 403
    late = await invite(BOTH)
    await owner.execute("UPDATE staff.sign_in_codes SET expires_at = now() WHERE used_at IS NULL")
    assert (await Browser(door).post("/staff/enter", {"code": late})).status == 403
    disabled = await invite(BOTH)
    await owner.execute("UPDATE staff.accounts SET disabled_at = now()")
    assert (await Browser(door).post("/staff/enter", {"code": disabled})).status == 403
    assert (len(await audited(owner, "sign in")), len(await audited(owner, "sign-in refused"))) == (1, 3)
    assert code not in str(await audited(owner, "sign in"))


async def test_of_many_that_use_a_code_at_once_one_gets_in(door, invite):
    code = await invite(BOTH)
    answers = await asyncio.gather(*(Browser(door).post("/staff/enter", {"code": code}) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [303, *[403] * 7]


async def test_codes_can_not_be_tried_without_end(door):
    answers = await asyncio.gather(*(Browser(door).post("/staff/enter", {"code": f"guess {n}"}) for n in range(12)))
    assert sorted(answer.status for answer in answers) == [403] * 10 + [429] * 2


@pytest.mark.parametrize("code", ["", " ", "x" * 5000, "é\0\ud7ff"])
async def test_a_code_that_is_none_is_refused(door, code):
    response = await Browser(door).post("/staff/enter", {"code": code})
    assert response.status in (403, 422)


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "http://127.0.0.1:1", "http://localhost"])
async def test_a_form_of_another_page_does_nothing(door, ada, owner, invite, origin):
    csrf, event = await ada.csrf(), an_event()
    await door.deliver(event)
    headers = {} if origin is None else {"Origin": origin}
    for path in (f"/staff/events/{event['id']}/resync", "/staff/leave"):
        response = await ada.ask("POST", path, headers=headers, data={"csrf": csrf, "reason": "x"})
        assert response.status == 403
    response = await Browser(door).ask("POST", "/staff/enter", headers=headers, data={"code": await invite(BOTH)})
    assert response.status == 403
    assert await owner.fetchval("SELECT count(*) FROM webhooks.resyncs") == 0
    assert await owner.fetchval("SELECT count(*) FROM staff.sessions WHERE revoked_at IS NULL") == 1


@pytest.mark.parametrize("csrf", ["", "0" * 64, "é"])
async def test_a_form_without_its_token_does_nothing(door, ada, owner, csrf):
    event = an_event()
    await door.deliver(event)
    response = await ada.post(f"/staff/events/{event['id']}/resync", {"csrf": csrf, "reason": "x"})
    assert response.status == 403
    assert await owner.fetchval("SELECT count(*) FROM webhooks.resyncs") == 0


async def test_a_right_that_is_missing_is_missing(door, signed_in, owner):
    event = an_event()
    await door.deliver(event)
    reader, nobody = await signed_in("events.read"), await signed_in(name="Bob")
    assert "Resync" not in await reader.page(f"/staff/events/{event['id']}")
    form = {"csrf": await reader.csrf(), "reason": "x"}
    assert (await reader.post(f"/staff/events/{event['id']}/resync", form)).status == 403
    for path in ("/staff/events", f"/staff/events/{event['id']}"):
        assert (await nobody.get(path)).status == 403
    assert await owner.fetchval("SELECT count(*) FROM webhooks.resyncs") == 0


async def test_under_another_name_the_pages_are_not_there(door, ada):
    for host in ("shop.example", "127.0.0.1.evil.example"):
        for path in ("/staff/events", "/staff/enter"):
            assert (await ada.get(path, Host=host)).status == 403


async def test_behind_its_own_address_the_cookie_is_for_that_host_and_tls_alone(open_door, invite):
    async with open_door(staff_origin="https://staff.shop.example") as door:
        own = {"Host": "staff.shop.example", "Origin": "https://staff.shop.example"}
        response = await Browser(door).ask("POST", "/staff/enter", headers=own, data={"code": await invite(BOTH)})
        assert response.status == 303
        cookie = response.headers["Set-Cookie"]
        assert cookie.startswith("__Host-kct_staff=")
        assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
        assert (await Browser(door).get("/staff/enter")).status == 403


async def test_a_bearer_token_will_do_and_needs_no_form(door, ada, owner):
    event = an_event()
    await door.deliver(event)
    headers = {"Authorization": f"Bearer {ada.cookies['kct_staff']}"}
    machine = Browser(door)
    response = await machine.ask("POST", f"/staff/events/{event['id']}/resync", headers=headers, data={"reason": "x"})
    assert response.status == 303
    assert await owner.fetchval("SELECT count(*) FROM webhooks.resyncs") == 1


async def test_signing_out_ends_it(ada, owner):
    response = await ada.post("/staff/leave", {"csrf": await ada.csrf()})
    assert response.status == 303
    assert ada.cookies["kct_staff"] == ""
    assert await owner.fetchval("SELECT revoked_at IS NOT NULL FROM staff.sessions")


PRIVATE = {
    "client_secret": "pi_1_secret_abcdefgh",
    "receipt_email": "ada@example.com",
    "shipping": {"name": "Ada Lovelace", "address": {"line1": "12 St James Square", "postal_code": "SW1Y"}},
    "charges": {"data": [{"billing_details": {"email": "ada@example.com", "phone": "+44 1"}, "last4": "4242"}]},
    "payment_method_details": {"card": {"exp_month": 11, "exp_year": 2031, "last4": "4242", "brand": "visa"}},
    "description": "For Ada Lovelace, ada@example.com",
    "something_new": "Ada Lovelace",
}


async def test_one_event_is_shown_with_its_journey_and_without_what_is_private(door, ada, owner, rows):
    intent = a_payment_intent(**PRIVATE)
    intent["metadata"]["note"] = "ring twice at Ada's"
    event = an_event(subject=intent)
    await door.deliver(event)
    await door.deliver(other := an_event("payment_intent.processing", {**intent, "status": "processing"}))
    await rows.until("published", 2)
    page = await ada.page(f"/staff/events/{event['id']}")
    for told in (event["id"], intent["id"], "payment_intent.succeeded", "127.0.0.1", "published", other["id"]):
        assert told in page
    assert intent["metadata"]["order_id"] in page
    assert "12900" in page
    assert re.search(r"as event <code>[0-9a-f-]{36}</code>", page)
    assert "unnamed-" in page  # the secret that verified it
    for private in ("Ada L", "ada@", "St James", "SW1Y", "_secret_", "ring twice", "+44"):
        assert private not in page
    for digits in ("4242", "2031"):  # which an id may hold by chance
        assert not re.search(rf"(?<![\w.-]){digits}(?![\w.-])", page)
    (row,) = await audited(owner, "view event")
    assert row["subject"] == f"stripe event {event['id']}"
    assert row["actor"].startswith("staff ")
    assert row["service"] == "webhooks"


async def test_what_an_event_says_is_never_markup(door, ada):
    intent = a_payment_intent(status=EVIL, metadata={"order_id": "<b>1</b>"}, **{EVIL: EVIL})
    event = an_event(subject={**intent, "id": "pi_<i>1</i>"}, api_version="<u>1</u>")
    assert (await door.deliver(event))[0] == 200
    for path in (f"/staff/events/{event['id']}", "/staff/events"):
        page = await ada.page(path)
        assert not re.search(r"<(script|b>|i>|u>)", page)
    assert "&lt;i&gt;" in page
    response = await ada.get("/staff/events")
    assert "script-src" not in response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


async def test_events_are_found_by_what_people_have_in_hand(door, ada, rows, owner):
    events = [an_event() for _ in range(3)] + [an_event("customer.created", {"id": "cus_1"})]
    for event in events:
        await door.deliver(event)
    await rows.until("published", 3)
    first = events[0]["data"]["object"]
    found = {
        f"event={events[1]['id']}": [events[1]],
        f"object={first['id']}": [events[0]],
        f"order={first['metadata']['order_id']}": [events[0]],
        "type=customer.created": [events[3]],
        "state=ignored": [events[3]],
        "state=published&type=payment_intent.succeeded": events[:3],
        "since=2020-01-01T00:00&until=2999-01-01T00:00": events,
        "until=2020-01-01T00:00": [],
        "event=evt_unknown": [],
        "": events,
    }
    for query, expected in found.items():
        page = await ada.page(f"/staff/events?{query}")
        assert {each["id"] for each in events if f"/staff/events/{each['id']}" in page} == {e["id"] for e in expected}
    assert len(await audited(owner, "search events")) == len(found)


async def test_pages_follow_each_other_without_a_gap(door, ada, rows, monkeypatch):
    monkeypatch.setattr("services.webhooks.actions.looking.PAGE_SIZE", 2)
    sent = [an_event() for _ in range(5)]
    for event in sent:
        await door.deliver(event)
    await rows.until("published", 5)
    seen, path = [], "/staff/events?state=published&type=payment_intent.succeeded"
    for _ in range(3):
        page = await ada.page(path)
        seen += re.findall(r'scope="row"><a href="/staff/events/([^"]+)"', page)
        older = re.search(r'href="(/staff/events\?[^"]*before=[^"]*)"', page)
        path = older[1].replace("&amp;", "&") if older else ""
    assert seen == [event["id"] for event in reversed(sent)]
    assert path == ""


@pytest.mark.parametrize(
    "query",
    [
        "event=a%20b",
        "event=%00",
        "object=%ED%A0%80",
        "type=" + "x" * 300,
        "order=é",
        "state=nonsense",
        "since=yesterday",
        "until=0001-01-01T00:00%2B23:00",
        "before=",
        "before=nonsense",
        "before=2026-01-01T00:00~",
        "before=2026-01-01T00:00~%00",
        "event='%20OR%201=1--",
    ],
)
async def test_what_can_not_be_searched_for_is_told(ada, query):
    response = await ada.get(f"/staff/events?{query}")
    assert response.status == 422
    assert 'role="alert"' in await response.text()


@pytest.mark.parametrize("text", ["'--", "%25", "*", "$1", "evt_1;DROP"])
async def test_what_looks_like_sql_is_only_not_found(ada, text):
    for name in ("event", "object", "order", "type"):
        assert "None." in await ada.page(f"/staff/events?{name}={text}")


@pytest.mark.parametrize("event_id", ["evt_unknown", "%00", "a%20b", "<script>", "é", "x" * 400])
async def test_an_unknown_event_is_a_page_of_its_own(ada, event_id):
    response = await ada.get(f"/staff/events/{event_id}")
    assert response.status == 404
    assert "There is no such event" in await response.text()
    form = {"csrf": await ada.csrf(), "reason": "x"}
    assert (await ada.post(f"/staff/events/{event_id}/resync", form)).status == 404


async def test_a_resync_is_asked_for_with_a_reason_and_recorded(door, ada, owner):
    event = an_event()
    await door.deliver(event)
    path, csrf = f"/staff/events/{event['id']}", await ada.csrf()
    response = await ada.post(f"{path}/resync", {"csrf": csrf, "reason": "The customer says he paid"})
    assert (response.status, response.headers["Location"]) == (303, f"{path}?asked=1")
    assert 'role="status"' in await ada.page(f"{path}?asked=1")
    row = await owner.fetchrow("SELECT * FROM webhooks.resyncs")
    assert (row["object_id"], row["reason"]) == (event["data"]["object"]["id"], "The customer says he paid")
    assert row["actor"].startswith("staff ")
    (recorded,) = await audited(owner, "resync")
    assert (recorded["actor"], recorded["reason"]) == (row["actor"], row["reason"])


@pytest.mark.parametrize("reason", ["", "  ", "\0"])
async def test_a_resync_without_a_reason_is_not_done(door, ada, owner, reason):
    event = an_event()
    await door.deliver(event)
    form = {"csrf": await ada.csrf(), "reason": reason}
    response = await ada.post(f"/staff/events/{event['id']}/resync", form)
    assert response.status == 422
    assert 'role="alert"' in await response.text()
    assert await owner.fetchval("SELECT count(*) FROM webhooks.resyncs") == 0


async def test_without_a_key_for_stripe_no_resync_is_offered_or_taken(open_door, invite, owner):
    event = an_event()
    async with open_door() as door:
        await door.deliver(event)
        ada = Browser(door)
        await ada.post("/staff/enter", {"code": await invite(BOTH)})
        assert "Resync" not in await ada.page(f"/staff/events/{event['id']}")
        form = {"csrf": await ada.csrf(), "reason": "x"}
        response = await ada.post(f"/staff/events/{event['id']}/resync", form)
        assert response.status == 409
        assert "no key" in await response.text()
    assert await owner.fetchval("SELECT count(*) FROM webhooks.resyncs") == 0


async def test_what_is_no_payment_intent_is_not_told_again(door, ada):
    event = an_event("charge.refunded", {"id": "ch_1"})
    await door.deliver(event)
    assert "Resync" not in await ada.page(f"/staff/events/{event['id']}")
    form = {"csrf": await ada.csrf(), "reason": "x"}
    assert (await ada.post(f"/staff/events/{event['id']}/resync", form)).status == 422


async def test_the_database_itself_shows_a_request_no_event_without_a_live_session(door, ada, clean, owner):
    await door.deliver(an_event())
    session = await owner.fetchval("SELECT id FROM staff.sessions")
    async with open_pool(clean.url("webhooks"), "webhooks", clean.prefix, 2) as pool:

        async def seen(**context: object) -> int:
            async with pool.request(**context) as conn:
                return len(await conn.fetch("SELECT FROM stripe_events"))

        assert await seen() == 0
        assert await seen(staff_session="018f0000-0000-7000-8000-000000000000") == 0
        assert await seen(staff_session=session) == 1
        await owner.execute("UPDATE staff.sessions SET revoked_at = now()")
        assert await seen(staff_session=session) == 0


async def test_the_operators_command_makes_an_account_and_a_code(door, clean, owner, amqp_url):
    environment = {
        "PATH": os.environ["PATH"],
        "OPS_DATABASE_URL": clean.url("checkout"),
        "OPS_AMQP_URL": amqp_url,
        "OPS_ROLE_PREFIX": clean.prefix,
    }

    async def command(*arguments: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deploy.ops", "staff-session", *arguments),
            cwd=ROOT,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(60):
            said, _ = await process.communicate()
        return process.returncode, said.decode()

    code, said = await command("--name", "Ada", "--hours", "8")
    assert code == 0
    assert (await Browser(door).post("/staff/enter", {"code": said.splitlines()[0]})).status == 303
    assert await owner.fetchval("SELECT rights FROM staff.accounts") == ["events.read"]
    assert (await command("--name", "Ada", "--may", "events.read", "--may", "events.resync"))[0] == 0
    assert await owner.fetchval("SELECT rights FROM staff.accounts") == BOTH
    for wrong in (("--name", ""), ("--name", "Ada", "--hours", "13"), ("--name", "Ada", "--may", "all")):
        code, said = await command(*wrong)
        assert code != 0
        assert "Traceback" not in said
