"""What the mails say and how they look in source: every kind in every language."""

import re
import string
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from babel.numbers import get_currency_precision

from services.notifier.domain import Kind
from services.notifier.settings import contrast
from services.notifier.templates import TOLD_AS, Writer, catalogues, imprint
from shared import links, money
from shared.events import Address
from tests.unit.notifier.letters import (
    NOON,
    a_letter,
    a_line,
    an_order,
    order_paid,
    order_refunded,
    order_shipped,
    payment_failed,
    settings,
)

WRITER = Writer(settings(shop_address="400 Woodward Ave, Detroit"))
LOCALES = ["en", "en-GB", "de", "de-AT", "de_CH", "fr", "xx", "", "../../etc/passwd", "e" * 35]
EVENTS = {
    Kind.ORDER_CONFIRMATION: order_paid,
    Kind.PAYMENT_FAILED: payment_failed,
    Kind.ORDER_SHIPPED: order_shipped,
    Kind.ORDER_REFUNDED: order_refunded,
}

HOSTILE = "<script>alert(1)</script>\" onload='x' {{ 7*7 }} {number} %s\r\nBcc: eve@example.com"


def page(kind: Kind = Kind.ORDER_CONFIRMATION, **order):
    return WRITER.write(a_letter(EVENTS[kind](an_order(**order))), NOON)


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_language_has_the_same_texts_with_the_same_places():
    texts = catalogues()
    assert set(texts) == {"en", "de"}
    shape = {
        language: {(section, key): places(text) for section, keys in sections.items() for key, text in keys.items()}
        for language, sections in texts.items()
    }
    assert shape["de"] == shape["en"]
    assert all(text.strip() for sections in texts.values() for keys in sections.values() for text in keys.values())
    assert set(texts["en"]) == {"shared", *Kind}


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("kind", list(Kind))
def test_both_parts_of_every_kind_are_written_in_every_locale(kind, locale):
    written = page(kind, locale=locale)
    assert written.language == ("de" if locale.startswith("de") else "en")
    for part in (written.text, written.html):
        assert "K-10042" in part
        assert "Oxford shirt" in part
        assert "token=" in part
        assert "Undefined" not in part
    assert "<" not in written.text
    assert "\n" not in written.subject


@pytest.mark.parametrize(
    ("locale", "currency", "total_minor", "written"),
    [
        ("en", "usd", 17800, "$178.00"),
        ("de", "eur", 17800, "178,00\xa0€"),
        ("de-AT", "eur", 123456789, "€\xa01.234.567,89"),
        ("en", "jpy", 17800, "¥17,800"),
        ("en", "kwd", 17800, "KWD\xa017.800"),
        ("fr", "usd", 17800, "$178.00"),
    ],
)
def test_money_has_the_orders_currency_its_decimals_and_the_readers_signs(locale, currency, total_minor, written):
    assert written in page(locale=locale, currency=currency, total_minor=total_minor).text


def test_babel_and_we_agree_on_every_currencys_decimals():
    for currency, decimals in money.EXPONENTS.items():
        assert get_currency_precision(currency.upper()) == decimals


@pytest.mark.parametrize("kind", list(Kind))
def test_nothing_a_shopper_or_a_product_is_called_becomes_markup(kind):
    address = Address(name=HOSTILE, line1=HOSTILE, city=HOSTILE, postal_code="1", country="US")
    written = page(kind, number=HOSTILE, shipping_address=address, lines=(a_line(name=HOSTILE, variant=HOSTILE),))
    assert "<script" not in written.html
    assert "&lt;script&gt;" in written.html
    if kind is Kind.ORDER_SHIPPED:
        written = WRITER.write(a_letter(order_shipped(an_order(number=HOSTILE), carrier=HOSTILE)), NOON)
    elements = elements_of(written.html)
    assert not [tag for tag, given in elements if tag == "script" or "onload" in given]
    assert "{{ 7*7 }}" in written.text  # written as it is, never evaluated
    assert "\r" not in written.subject + written.text
    assert not re.search(r"^Bcc:", written.text, re.MULTILINE)


def test_the_link_is_signed_for_this_order_and_ends_after_ninety_days():
    order = an_order()
    text = WRITER.write(a_letter(order_paid(order)), NOON).text
    found = re.search(r"https://pay\.shop\.example/orders/(\S+)\?token=(\S+)", text)
    assert found is not None
    assert found[1] == str(order.order_id)
    subject, keys = str(order.order_id), ["link_key_standin"]
    assert links.verify(keys, "mail", subject, found[2], NOON + timedelta(days=89))
    assert not links.verify(keys, "mail", subject, found[2], NOON + timedelta(days=90))
    assert not links.verify(keys, "order", subject, found[2], NOON)


@pytest.mark.parametrize(
    ("locale", "fulfilment", "said"),
    [
        ("en", "shipped", "Your order is on its way"),
        ("en", "part_shipped", "The rest follows in another parcel"),
        ("de", "shipped", "Ihre Bestellung ist unterwegs"),
        ("de", "part_shipped", "Der Rest folgt in einem weiteren Paket"),
    ],
)
def test_a_parcel_is_told_with_what_is_in_it_its_number_and_whether_more_comes(locale, fulfilment, said):
    written = WRITER.write(a_letter(order_shipped(an_order(locale=locale), fulfilment)), NOON)
    for part in (written.text, written.html):
        assert said in part
        assert "1Z999AA10123456784" in part
        assert "https://www.ups.com/track?tracknum=1Z999AA10123456784" in part
        assert "12 Elm Street" in part
        assert "$" not in part  # what it cost is in another mail
    assert ("Rest" in written.text or "rest" in written.text) == (fulfilment == "part_shipped")


def test_a_parcel_without_a_number_or_a_page_has_no_empty_place_for_it():
    written = WRITER.write(a_letter(order_shipped(tracking_number=None, tracking_url=None)), NOON)
    assert "Tracking" not in written.text + written.html
    written = WRITER.write(a_letter(order_shipped(tracking_number="X1", tracking_url=None)), NOON)
    assert "Tracking number: X1" in written.text
    assert "ups.com" not in written.html


@pytest.mark.parametrize(
    ("refund", "said", "in_all"),
    [
        ({}, "the whole amount of your order", None),
        ({"amount_minor": 5000}, "given back $50.00 of the $178.00", "$50.00"),
        ({"amount_minor": 5000, "refunded_minor": 9000}, "given back $50.00 of the $178.00", "$90.00"),
        ({"amount_minor": 5000, "refunded_minor": 17800}, "all of the $178.00 that you paid", "$178.00"),
        ({"settles": False, "refunded_minor": 0}, "could not use for this order", None),
    ],
)
def test_a_refund_is_told_with_its_amount_and_whether_it_is_all(refund, said, in_all):
    written = WRITER.write(a_letter(order_refunded(**refund)), NOON)
    for part in (written.text, written.html):
        assert said in part
        assert ("Refunded in all" in part) == (in_all is not None)
        assert "moth" not in part  # the reason is staff's
    assert in_all is None or f"Refunded in all: {in_all}" in written.text
    amount = "$50.00" if "amount_minor" in refund else "$178.00"
    assert written.subject == f"We have refunded {amount} for your order K-10042"


def test_what_could_help_a_thief_reads_like_any_refusal():
    def body(category: str) -> str:
        event = payment_failed(ORDER, category=category, reserved_until=NOON + timedelta(minutes=20))
        return WRITER.write(a_letter(event), NOON).text

    neutral = body("issuer_declined")
    assert body("fraud_risk") == body("card_unusable") == body("something_new") == neutral
    assert body("insufficient_funds") != neutral
    for word in ("fraud", "lost", "stolen", "risk", "blocked"):
        assert word not in neutral.lower()


ORDER = an_order()


@pytest.mark.parametrize("category", sorted(TOLD_AS))
@pytest.mark.parametrize("locale", ["en", "de"])
def test_every_failure_mail_says_that_nothing_was_charged(category, locale):
    event = payment_failed(an_order(locale=locale), category=category)
    said = {"en": "Nothing was charged", "de": "Es wurde nichts abgebucht"}[locale]
    written = WRITER.write(a_letter(event), NOON)
    assert said in written.text
    assert said in written.html


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en", "until November 23, 2026 at 12:28\u202fPM (EST)."),
        ("de", "bis 23. November 2026 um 12:28 Uhr (Nordamerikanische Ostküsten-Normalzeit)"),
    ],
)
def test_the_reservations_end_is_written_in_the_shops_time_zone(locale, said):
    event = payment_failed(an_order(locale=locale), reserved_until=NOON + timedelta(minutes=28))
    assert said in WRITER.write(a_letter(event), NOON).text


def test_a_reservation_that_has_ended_is_not_promised():
    event = payment_failed(reserved_until=NOON - timedelta(seconds=1))
    text = WRITER.write(a_letter(event), NOON).text
    assert "keeping your items" not in text
    assert "can no longer keep" in text


def test_an_address_is_written_as_on_a_parcel():
    german = Address(name="Jörg Groß", line1="Hauptstraße 5", city="Köln", postal_code="50667", country="DE")
    assert "50667 Köln\n  Deutschland" in page(locale="de", shipping_address=german).text
    assert "Detroit, MI 48201\n  United States" in page().text


@pytest.mark.parametrize(
    ("address", "line"),
    [
        (None, "KCT Menswear"),
        ("1 Main Street, Detroit", "KCT Menswear · 1 Main Street, Detroit"),
        ("KCT Menswear, 1 Main Street", "KCT Menswear, 1 Main Street"),
    ],
)
def test_the_footer_names_the_shop_once(address, line):
    assert imprint("KCT Menswear", address) == line


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attributes) -> None:
        self.found.append((tag, dict(attributes)))


def elements_of(html: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Elements()
    parser.feed(html)
    return parser.found


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("locale", ["en", "de"])
def test_the_html_keeps_the_rules_of_mail(kind, locale):
    html = page(kind, locale=locale, lines=tuple(a_line() for _ in range(50))).html
    found = elements_of(html)
    tags = [tag for tag, _ in found]
    attributes = dict(found)
    assert len(html.encode()) < 102_000
    assert attributes["html"]["lang"] == locale
    assert attributes["html"]["dir"] == "ltr"
    assert "title" in tags
    assert all(given.get("role") == "presentation" for tag, given in found if tag == "table")
    assert any(given.get("name") == "color-scheme" for _, given in found)
    assert "@media (prefers-color-scheme: dark)" in html
    assert not {"img", "script", "link", "iframe", "form"} & set(tags)
    assert not re.search(r"url\(|@import|src=", html)
    # what a mailbox that drops <style> still shows
    assert 'style="' in html


LIGHT = [("#22262b", "#ffffff"), ("#5c6067", "#ffffff"), ("#22262b", "#f7f5f0"), ("#ffffff", "#1d2b3a")]
DARK = [("#eceae6", "#1d2126"), ("#b3b8bf", "#1d2126"), ("#eceae6", "#262b31"), ("#14171a", "#e8e4db")]


@pytest.mark.parametrize(("text", "ground"), LIGHT + DARK)
def test_text_can_be_read_on_its_ground_in_both_schemes(text, ground):
    source = page(Kind.PAYMENT_FAILED).html
    assert text in source
    assert ground in source
    assert contrast(text, ground) >= 4.5


def test_the_parts_of_the_total_are_written_out_in_every_language_and_in_both_parts():
    amounts = {"subtotal_minor": 13000, "shipping_minor": 900, "shipping_name": "Van", "total_minor": 17097}
    for locale, subtotal, tax in (("en", "Subtotal", "Tax"), ("de", "Zwischensumme", "Steuer")):
        written = page(locale=locale, **amounts, tax_minor=3197, tax_added_minor=3197)
        for part in (written.text, written.html):
            for words in (subtotal, "Van", tax, "31", "170"):
                assert words in part
        contained = page(locale=locale, **amounts, tax_minor=2250, tax_added_minor=0)
        assert "22" in contained.text
        assert tax.lower() in contained.text.lower()


def test_an_order_from_before_it_had_parts_shows_its_total_alone():
    assert "Subtotal" not in page().text
