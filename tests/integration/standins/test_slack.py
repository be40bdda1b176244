"""The stand-in for Slack's incoming webhooks."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.demo.private import free_ports
from deploy.standins.slack.standin import SlackStandIn

ROOT = Path(__file__).parents[3]

INCIDENT = {
    "text": "Webhooks went silent",
    "blocks": [
        {"type": "header", "text": {"type": "plain_text", "text": "Webhooks went silent"}},
        {
            "type": "section",
            "text": {"type": "mrkdwn", "text": "Seen at <http://127.0.0.1:9/i/1|the board> &amp; here"},
        },
        {"type": "section", "fields": [{"type": "mrkdwn", "text": "one"}, {"type": "mrkdwn", "text": "two"}]},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "<script>alert(1)</script>"}]},
    ],
}


async def post(slack: SlackStandIn, **arguments: Any) -> tuple[int, str, str | None]:
    async with aiohttp.ClientSession() as session, session.post(slack.webhook_url, **arguments) as response:
        return response.status, await response.text(), response.headers.get("Retry-After")


async def test_a_message_is_answered_ok_and_kept_in_order(slack: SlackStandIn) -> None:
    assert await post(slack, json={"text": "first"}) == (200, "ok", None)
    assert await post(slack, json=INCIDENT) == (200, "ok", None)

    async with aiohttp.ClientSession() as session, session.get(slack.url + "/api/messages") as response:
        messages = (await response.json())["messages"]
    assert [each["text"] for each in messages] == ["first", "Webhooks went silent"]
    assert messages[1]["lines"][2:4] == ["one", "two"]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"{", "invalid_payload"),
        (b"", "invalid_payload"),
        (b"[]", "invalid_payload"),
        (b"\xff", "invalid_payload"),
        (b'{"text": 3}', "invalid_payload"),
        (b"{}", "no_text"),
        (b'{"text": ""}', "no_text"),
        (b'{"blocks": [{"text": "no type"}]}', "invalid_blocks"),
        (b'{"blocks": "x"}', "invalid_blocks"),
    ],
)
async def test_what_is_no_message_is_refused_with_slacks_word(slack: SlackStandIn, body: bytes, word: str) -> None:
    assert await post(slack, data=body, headers={"Content-Type": "application/json"}) == (400, word, None)
    assert slack.messages.all() == []


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("rate_limit", (429, "rate_limited", "3")),
        ("server_error", (500, "internal_error", None)),
        ("gone", (404, "no_service", None)),
    ],
)
async def test_it_refuses_as_often_as_told(slack: SlackStandIn, kind: str, answer: tuple[int, str, str | None]) -> None:
    slack.faults.order(kind, times=2, seconds=3)

    assert [await post(slack, json={"text": "hello"}) for _ in range(3)] == [
        answer,
        answer,
        (200, "ok", None),
    ]
    assert len(slack.messages.all()) == 1


@pytest.mark.parametrize(("kind", "kept"), [("drop_before", 0), ("drop_after", 1)])
async def test_a_dropped_link_keeps_the_message_or_not(slack: SlackStandIn, kind: str, kept: int) -> None:
    slack.faults.order(kind)

    with pytest.raises(aiohttp.ClientConnectionError):
        await post(slack, json={"text": "hello"})

    assert len(slack.messages.all()) == kept


async def test_a_slow_reply_outlasts_the_clients_patience(slack: SlackStandIn) -> None:
    slack.faults.order("slow_reply", seconds=5)

    posting = asyncio.create_task(post(slack, json={"text": "hello"}))
    await slack.messages.wait_for(1, within_s=30)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(posting, 0.3)


async def test_the_page_shows_the_messages_and_runs_nothing_of_them(slack: SlackStandIn) -> None:
    await post(slack, json=INCIDENT)

    async with aiohttp.ClientSession() as session, session.get(slack.url) as response:
        page = await response.text()
    assert "stand-in for Slack" in page
    assert '<a href="http://127.0.0.1:9/i/1" rel="noreferrer">the board</a> &amp; here' in page
    assert "<script>" not in page


async def test_waiting_ends_when_the_message_comes_or_the_time_is_over(slack: SlackStandIn) -> None:
    waiting = asyncio.create_task(slack.messages.wait_for(1, containing="two"))
    await post(slack, json={"text": "other"})
    await post(slack, json=INCIDENT)

    assert (await waiting)[0].text == "Webhooks went silent"
    with pytest.raises(TimeoutError, match="1 of 2"):
        await slack.messages.wait_for(2, containing="two", within_s=0.1)


async def test_it_runs_as_a_process_and_ends_on_sigterm() -> None:
    (port,) = free_ports(1)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.standins.slack", "--port", str(port)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ},
    )
    assert process.stdout is not None
    assert b"Stand-in for Slack" in await process.stdout.readline()
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/healthz") as response,
    ):
        assert response.status == 200
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 30) == 0
