"""The mail as it goes over the wire: headers that can't be broken into."""

from dataclasses import replace
from email import message_from_bytes
from email.policy import default

import pytest

from services.notifier.domain import Letter, Page
from services.notifier.smtp_api import UnwritableAddress, envelope
from shared.events import Address
from tests.unit.notifier.letters import a_letter, an_order, order_paid, settings

TEXT = "Thank you = merci \n.\n. really\nFrom here\n" + "é" * 200 + "\n"
PAGE = Page("en", "Your order", TEXT, "<p>Thank you ✓</p>")


def sent(letter: Letter | None = None, page: Page = PAGE):
    raw = envelope(letter or a_letter(), page, settings()).as_bytes()
    return raw, message_from_bytes(raw, policy=default)


def addressed(**order) -> Letter:
    return a_letter(order_paid(an_order(**order)))


def named(name: str) -> Letter:
    address = Address(name=name, line1="1", city="Detroit", postal_code="48201", country="US")
    return addressed(shipping_address=address)


def test_the_headers_say_who_to_whom_when_and_that_a_machine_wrote():
    letter = a_letter()
    raw, mail = sent(letter)
    assert mail["From"] == "KCT Menswear <orders@shop.example>"
    assert mail["To"] == "Ada Park <ada@example.com>"
    assert mail["Reply-To"] == "KCT Menswear <support@shop.example>"
    assert mail["Message-ID"] == letter.message_id
    assert mail["Date"].datetime == letter.date
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["List-Unsubscribe"] is None
    assert f"\r\nMessage-ID: {letter.message_id}\r\n".encode() in raw


def test_the_text_comes_first_and_both_parts_arrive_whole():
    raw, mail = sent()
    assert mail.get_content_type() == "multipart/alternative"
    text, html = mail.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content().replace("\r\n", "\n") == PAGE.text
    assert b"=0D" not in raw
    assert html.get_content().strip() == PAGE.html
    assert raw.isascii()
    assert max(map(len, raw.partition(b"\r\n\r\n")[2].split(b"\r\n"))) <= 76
    assert raw.count(b"\n") == raw.count(b"\r\n")


@pytest.mark.parametrize(
    "injected", ["Ada\r\nBcc: eve@example.com", "Ada\nBcc: eve@example.com", "A\x00\x0b\u2028Bcc: e"]
)
def test_no_line_end_in_a_name_becomes_a_header(injected):
    raw, mail = sent(named(injected))
    assert mail["Bcc"] is None
    assert b"\nBcc:" not in raw
    assert [address.addr_spec for address in mail["To"].addresses] == ["ada@example.com"]


@pytest.mark.parametrize(
    "name", ['Ada "the" <eve@example.com>', "eve@example.com, Ada", "Zoë Müller-Ångström " * 8, ""]
)
def test_a_name_stays_a_name(name):
    _, mail = sent(named(name))
    assert [address.addr_spec for address in mail["To"].addresses] == ["ada@example.com"]


def test_no_line_end_in_a_subject_becomes_a_header():
    raw, mail = sent(page=replace(PAGE, subject="Hi\r\nBcc: eve@example.com"))
    assert mail["Bcc"] is None
    assert b"\nBcc:" not in raw


@pytest.mark.parametrize(
    "email",
    [
        "ada@example.com\r\nBcc: eve@example.com",
        "ada@example.com>, <eve@example.com",
        "jürgen@example.com",
        "ada@",
        "ada@a..b",
        "@x",
        "x",
        "",
    ],
)
def test_an_address_that_is_none_is_not_written_to(email):
    with pytest.raises(UnwritableAddress):
        sent(addressed(email=email))


def test_a_domain_beyond_ascii_travels_in_its_ascii_form():
    _, mail = sent(addressed(email="ada@bücher.example"))
    assert mail["To"].addresses[0].addr_spec == "ada@xn--bcher-kva.example"
