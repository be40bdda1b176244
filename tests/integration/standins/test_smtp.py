"""The stand-in for a mail server, spoken to by the client the notifier uses."""

import asyncio
import os
import signal
import sys
from email.message import EmailMessage
from pathlib import Path

import aiohttp
import aiosmtplib
import pytest

from deploy.demo.private import free_ports
from deploy.standins.smtp.standin import SmtpStandIn

ROOT = Path(__file__).parents[3]

HTML = '<html lang="de"><body><script>alert(1)</script><p>Danke für die <b>Bestellung</b></p></body></html>'


def a_mail(to: str = "ada@example.com", message_id: str = "<paid.1@shop.example>") -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "KCT Menswear <orders@shop.example>"
    mail["To"] = to
    mail["Subject"] = "Your order 1001 – thank you ✓"
    mail["Message-ID"] = message_id
    mail.set_content("Thank you. Your order: https://shop.example/orders/1?token=abc\n")
    mail.add_alternative(HTML, subtype="html")
    return mail


async def send(smtp: SmtpStandIn, mail: EmailMessage, timeout: float = 30) -> None:
    await aiosmtplib.send(
        mail, hostname=smtp.host, port=smtp.smtp_port, timeout=timeout, start_tls=False, use_tls=False
    )


async def get(smtp: SmtpStandIn, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(smtp.http_url + path) as response:
        return response.status, await response.text()


async def get_json(smtp: SmtpStandIn, path: str) -> dict:
    async with aiohttp.ClientSession() as session, session.get(smtp.http_url + path) as response:
        return await response.json()


async def test_a_mail_taken_is_shown_with_its_parts(smtp: SmtpStandIn) -> None:
    await send(smtp, a_mail())

    (summary,) = (await get_json(smtp, "/api/messages"))["messages"]
    assert summary["to"] == ["ada@example.com"]
    assert summary["from"] == "orders@shop.example"
    assert summary["subject"] == "Your order 1001 – thank you ✓"
    assert summary["message_id"] == "<paid.1@shop.example>"
    assert summary["copies"] == 1
    detail = await get_json(smtp, f"/api/messages/{summary['id']}")
    assert detail["text"].startswith("Thank you.")
    assert "<b>Bestellung</b>" in detail["html"]
    assert ["From", "KCT Menswear <orders@shop.example>"] in detail["headers"]
    assert [each["reply"] for each in detail["deliveries"]] == ["250"]


async def test_the_same_mail_sent_again_is_another_copy(smtp: SmtpStandIn) -> None:
    await send(smtp, a_mail())
    await send(smtp, a_mail())
    await send(smtp, a_mail(message_id="<paid.2@shop.example>"))

    found = await get_json(smtp, "/api/messages")
    assert [each["copies"] for each in found["messages"]] == [2, 1]
    assert found["copies"] == 3


async def test_mails_are_found_by_recipient_and_can_be_removed(smtp: SmtpStandIn) -> None:
    await send(smtp, a_mail("ada@example.com"))
    await send(smtp, a_mail("bob@example.org"))

    found = await get_json(smtp, "/api/messages?to=*@EXAMPLE.org")
    assert [each["to"] for each in found["messages"]] == [["bob@example.org"]]

    async with (
        aiohttp.ClientSession() as session,
        session.delete(smtp.http_url + "/api/messages") as response,
    ):
        assert response.status == 204
    assert (await get_json(smtp, "/api/messages"))["messages"] == []
    assert (await get(smtp, "/api/messages/1"))[0] == 404


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        ("greylist", 451, "4.7.1"),
        ("unknown_recipient", 550, "5.1.1"),
        ("policy", 550, "5.7.1"),
    ],
)
async def test_a_recipient_is_refused_once_and_then_taken(smtp: SmtpStandIn, kind: str, code: int, words: str) -> None:
    smtp.faults.order(kind, seconds=7)

    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
        await send(smtp, a_mail())
    assert refused.value.recipients[0].code == code
    assert words in refused.value.recipients[0].message
    assert smtp.mailbox.all() == []

    await send(smtp, a_mail())
    assert len(smtp.mailbox.all()) == 1
    assert smtp.mailbox.refused == 1


@pytest.mark.parametrize(("kind", "code"), [("storage_full", 452), ("bad_content", 554)])
async def test_a_mail_is_refused_after_its_data(smtp: SmtpStandIn, kind: str, code: int) -> None:
    smtp.faults.order(kind)

    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await send(smtp, a_mail())

    assert refused.value.code == code
    assert smtp.mailbox.all() == []


async def test_a_link_dropped_after_the_data_leaves_the_mail_kept_and_the_client_without_a_code(
    smtp: SmtpStandIn,
) -> None:
    smtp.faults.order("drop_after_data")

    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send(smtp, a_mail())

    assert [copy.reply for copy in smtp.mailbox.all()[0].copies] == ["drop_after_data"]


async def test_a_slow_reply_leaves_the_mail_kept_and_the_client_without_a_code(smtp: SmtpStandIn) -> None:
    smtp.faults.order("slow_reply", seconds=5)

    with pytest.raises(aiosmtplib.SMTPReadTimeoutError):
        await send(smtp, a_mail(), timeout=2)  # which each step has, and a machine may stall in any of them

    assert [copy.reply for copy in smtp.mailbox.all()[0].copies] == ["slow_reply"]


async def test_a_link_dropped_before_the_data_leaves_nothing(smtp: SmtpStandIn) -> None:
    smtp.faults.order("drop_before_data")

    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send(smtp, a_mail())

    assert smtp.mailbox.all() == []


async def test_a_fault_strikes_the_recipients_it_is_meant_for(smtp: SmtpStandIn) -> None:
    smtp.faults.order("greylist", times=None, recipient="*@slow.example")

    await send(smtp, a_mail("ada@example.com"))
    for _ in range(3):
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
            await send(smtp, a_mail("Bob@Slow.example"))

    smtp.faults.clear()
    await send(smtp, a_mail("Bob@Slow.example"))
    assert len(smtp.mailbox.all()) == 2


async def test_faults_are_ordered_shown_and_cleared_over_http(smtp: SmtpStandIn) -> None:
    url = smtp.http_url + "/_control/faults"
    async with aiohttp.ClientSession() as session:
        async with session.post(url, json={"kind": "policy", "times": 2, "recipient": "*@b.example"}) as response:
            assert response.status == 201
        async with session.get(url) as response:
            (fault,) = (await response.json())["faults"]
        assert (fault["kind"], fault["times"], fault["struck"]) == ("policy", 2, 0)
        for wrong in ({"kind": "earthquake"}, {"kind": "policy", "times": 0}, {"time": 3}, []):
            async with session.post(url, json=wrong) as response:
                assert response.status == 422
                assert (await response.json())["errors"]
        async with session.delete(url) as response:
            assert response.status == 204
    assert smtp.faults.ordered == []


async def test_the_pages_show_the_mail_with_its_html_shut_in(smtp: SmtpStandIn) -> None:
    await send(smtp, a_mail())
    (mail,) = smtp.mailbox.all()

    _, overview = await get(smtp, "/")
    assert "stand-in for a mail server" in overview
    assert f'href="/messages/{mail.id}"' in overview
    _, page = await get(smtp, f"/messages/{mail.id}")
    assert f'sandbox="allow-popups allow-popups-to-escape-sandbox" src="/messages/{mail.id}/html"' in page
    assert "<script>" not in page
    assert 'href="https://shop.example/orders/1?token=abc"' in page
    url = f"{smtp.http_url}/messages/{mail.id}/html"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert "Danke für die" in await response.text()
        assert response.headers["Content-Security-Policy"].startswith("sandbox allow-popups")


async def test_what_a_mail_says_cannot_break_the_pages(smtp: SmtpStandIn) -> None:
    raw = (
        b"Subject: <script>alert(1)</script>\r\nMessage-ID: <x@y>\r\n"
        b"Content-Type: text/plain; charset=klingon\r\n\r\n<b>nuqneH</b> \xff\r\n"
    )
    await aiosmtplib.send(
        raw,
        sender="a@b.example",
        recipients=["c@d.example"],
        hostname=smtp.host,
        port=smtp.smtp_port,
        start_tls=False,
    )
    (mail,) = smtp.mailbox.all()

    for path in ("/", f"/messages/{mail.id}"):
        status, page = await get(smtp, path)
        assert status == 200
        assert "<script>alert" not in page
        assert "<b>nuqneH" not in page
    assert (await get(smtp, f"/messages/{mail.id}/html"))[0] == 404


async def test_thousands_of_mails_are_kept_and_paged(smtp: SmtpStandIn) -> None:
    content = a_mail().as_bytes()
    for number in range(5000):
        numbered = content.replace(b"paid.1@", b"paid.%d@" % number)
        smtp.mailbox.take("a@b.example", (f"c{number}@d.example",), numbered, "250")

    found = await get_json(smtp, "/api/messages")
    assert (len(found["messages"]), found["copies"]) == (5000, 5000)
    _, first = await get(smtp, "/")
    assert first.count("<li>") == 200
    newest = smtp.mailbox.all()[-1].id
    assert f'href="/?before={newest - 199}"' in first
    _, second = await get(smtp, f"/?before={newest - 199}")
    assert f'href="/messages/{newest - 200}"' in second


async def test_it_runs_as_a_process_and_ends_on_sigterm() -> None:
    smtp_port, http_port = free_ports(2)
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "deploy.standins.smtp",
            "--smtp-port",
            str(smtp_port),
            "--http-port",
            str(http_port),
        ),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ},
    )
    assert process.stdout is not None
    assert b"Stand-in for a mail server" in await process.stdout.readline()
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=smtp_port, start_tls=False)
    await client.connect()
    await client.send_message(a_mail())

    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{http_port}/healthz") as response:
            assert response.status == 200
        async with session.get(f"http://127.0.0.1:{http_port}/api/messages") as response:
            assert len((await response.json())["messages"]) == 1
    process.send_signal(signal.SIGTERM)  # with the client still connected
    assert await asyncio.wait_for(process.wait(), 30) == 0
    client.close()
