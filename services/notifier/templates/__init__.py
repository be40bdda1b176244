"""Writes letters out: Jinja2 templates, texts in the order's language, money and times as its readers write them."""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import css_inline
from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, get_timezone_name
from babel.numbers import format_currency
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.notifier.domain import Kind, Letter, Page, one_line, refund_told_as
from services.notifier.settings import NotifierSettings
from shared import links
from shared.events import Address, OrderFacts, OrderLine, ParcelFacts
from shared.money import Money

HERE = Path(__file__).resolve().parent
FALLBACK = "en"
LETTERS_THEN_DIGITS = re.compile(r"(?<=[A-Za-z])(?=\d)")

# Mailboxes show about so much behind the subject; more would only repeat the mail.
LONGEST_FIELD = 300

# What a shopper is told about a refusal. Whatever a thief could learn from (lost, stolen, suspected fraud) reads
# like any other refusal by the bank; so does a category that this version doesn't know.
TOLD_AS: Mapping[str, str] = {
    "insufficient_funds": "insufficient_funds",
    "card_data": "card_data",
    "authentication": "authentication",
    "technical": "technical",
    "issuer_declined": "issuer_declined",
    "card_unusable": "issuer_declined",
    "fraud_risk": "issuer_declined",
}

Texts = Mapping[str, Mapping[str, str]]
Say = Callable[..., str]


def catalogues() -> dict[str, Texts]:
    """The texts by language, one file each."""
    return {
        path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted((HERE / "texts").glob("*.toml"))
    }


@dataclass(frozen=True)
class Voice:
    """One reader's language: texts, money, times."""

    locale: Locale
    texts: Texts
    time_zone: ZoneInfo

    def say(self, section: str, key: str, **values: str) -> str:
        return self.texts[section][key].format(**values)

    def money(self, amount: Money) -> str:
        written = format_currency(amount.major(), amount.currency.upper(), locale=self.locale)
        # Babel leaves out CLDR's space between a currency's letters and the digits: "KWD17.800".
        return LETTERS_THEN_DIGITS.sub("\N{NO-BREAK SPACE}", written)

    def moment(self, at: datetime) -> str:
        local = at.astimezone(self.time_zone)
        time = format_time(local, "short", tzinfo=self.time_zone, locale=self.locale)
        zone = get_timezone_name(local, "short", locale=self.locale)
        if not zone.isalpha():  # Babel has the short names of few zones, and "-0500" tells a shopper nothing
            zone = get_timezone_name(local, "long", locale=self.locale)
        return self.say("shared", "moment", day=self.day(at), time=time, zone=zone)

    def day(self, at: datetime) -> str:
        return format_date(at.astimezone(self.time_zone), "long", locale=self.locale)


class Writer:
    """Turns letters into pages; made once per process."""

    def __init__(self, settings: NotifierSettings) -> None:
        self._settings = settings
        self._texts = catalogues()
        self._time_zone = ZoneInfo(settings.time_zone)
        self._templates = Environment(
            loader=FileSystemLoader(HERE),
            autoescape=select_autoescape(("html",), default_for_string=True, default=False),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        # Without the at-rules there would be no dark mode; and nothing is ever fetched.
        self._inliner = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)

    def write(self, letter: Letter, now: datetime) -> Page:
        """The letter as it reads at `now`: a reservation may have ended since it was written."""
        voice = self.voice(letter.order.locale)
        say = _sayer(voice, letter.kind)
        facts = {**self._shop(), **self._facts(letter, voice, now), "say": say}
        named = {"number": facts["number"], "shop": self._settings.shop_name, "amount": facts.get("amount", "")}
        subject = one_line(say("subject", **named), 200)
        facts["subject"] = subject
        text = self._templates.get_template(f"{letter.kind}.txt").render(facts)
        html = self._templates.get_template(f"{letter.kind}.html").render(facts)
        return Page(voice.locale.language, subject, text, self._inliner.inline(html))

    def voice(self, wanted: str) -> Voice:
        """de-AT reads the German texts with Austria's numbers; a language without texts reads English in all."""
        try:
            locale = Locale.parse(wanted.replace("-", "_"))
        except (UnknownLocaleError, ValueError, TypeError):
            locale = Locale.parse(FALLBACK)
        if locale.language not in self._texts:
            locale = Locale.parse(FALLBACK)
        return Voice(locale, self._texts[locale.language], self._time_zone)

    def _shop(self) -> dict[str, Any]:
        shop = self._settings
        return {
            "shop": shop.shop_name,
            "shop_url": shop.shop_url,
            "shop_host": urlsplit(shop.shop_url).hostname if shop.shop_url else None,
            "imprint": imprint(shop.shop_name, shop.shop_address),
            "support": shop.support_email,
            "accent": shop.accent_colour,
        }

    def _facts(self, letter: Letter, voice: Voice, now: datetime) -> dict[str, Any]:
        order, until = letter.order, letter.about.reserved_until
        is_reserved = until is not None and until > now
        return {
            "language": voice.locale.language,
            "direction": voice.locale.text_direction,
            "number": one_line(order.number, 60),
            "name": one_line(order.shipping_address.name, LONGEST_FIELD),
            "day": voice.day(letter.date),
            "lines": [_line(line, order.currency, voice) for line in order.lines],
            "amounts": _amounts(order, voice),
            "total": voice.money(order.total),
            "tax_contained": _tax_contained(order, voice),
            "address": address_lines(order.shipping_address, voice.locale),
            "link": self._link(letter),
            "told_as": TOLD_AS.get(letter.about.category or "", "issuer_declined"),
            "reserved_until": voice.moment(until) if until is not None and is_reserved else None,
            **_about(letter, voice),
        }

    def _link(self, letter: Letter) -> str:
        """The same for every copy of a letter: it counts its days from the letter's date."""
        order_id = str(letter.order.order_id)
        expires_at = letter.date + timedelta(days=self._settings.link_days)
        token = links.sign(self._settings.link_key.get_secret_value(), "mail", order_id, expires_at)
        return self._settings.order_url.format(order_id=order_id, token=token)


def _sayer(voice: Voice, kind: Kind) -> Say:
    """Texts by key: the letter's own, else what all letters share."""

    def say(key: str, **values: str) -> str:
        section = kind.value if key in voice.texts[kind.value] else "shared"
        return voice.say(section, key, **values)

    return say


def _about(letter: Letter, voice: Voice) -> dict[str, Any]:
    """What letters about a parcel or a refund need beside the order."""
    about, currency = letter.about, letter.order.currency
    if about.parcel is not None:
        return {"parcel": _parcel(about.parcel), "is_part": about.is_part}
    if about.refund is not None:
        return {
            "amount": voice.money(about.refund.amount),
            "refund_told_as": refund_told_as(about, letter.order),
            "refunded": voice.money(Money(about.refunded_minor, currency)),
        }
    return {}


def _parcel(parcel: ParcelFacts) -> dict[str, Any]:
    return {
        "carrier": one_line(parcel.carrier, LONGEST_FIELD),
        "tracking_number": one_line(parcel.tracking_number or "", LONGEST_FIELD),
        "tracking_url": parcel.tracking_url,
        "lines": [
            {
                "name": one_line(line.name, LONGEST_FIELD),
                "variant": one_line(line.variant, LONGEST_FIELD),
                "quantity": line.quantity,
            }
            for line in parcel.lines
        ],
    }


def _amounts(order: OrderFacts, voice: Voice) -> list[tuple[str, str]]:
    """What leads from the items to the total; nothing of an order from before it had parts."""
    if order.subtotal_minor is None or order.shipping_minor is None:
        return []
    shipping_name = one_line(order.shipping_name or "", LONGEST_FIELD) or voice.say("shared", "delivery")
    found = [(voice.say("shared", "subtotal"), order.subtotal_minor), (shipping_name, order.shipping_minor)]
    if order.tax_added_minor:
        found.append((voice.say("shared", "tax_added"), order.tax_added_minor))
    return [(label, voice.money(Money(amount, order.currency))) for label, amount in found]


def _tax_contained(order: OrderFacts, voice: Voice) -> str | None:
    contained = (order.tax_minor or 0) - (order.tax_added_minor or 0)
    return voice.money(Money(contained, order.currency)) if contained > 0 else None


def _line(line: OrderLine, currency: str, voice: Voice) -> dict[str, Any]:
    return {
        "name": one_line(line.name, LONGEST_FIELD),
        "variant": one_line(line.variant, LONGEST_FIELD),
        "quantity": line.quantity,
        "unit_price": voice.money(Money(line.unit_price_minor, currency)),
        "total": voice.money(Money(line.line_total_minor, currency)),
    }


def imprint(shop: str, address: str | None) -> str:
    """The footer's line; an address that begins with the shop's name doesn't say it twice."""
    if address is None or address.startswith(shop):
        return address or shop
    return f"{shop} · {address}"


def address_lines(address: Address, locale: Locale) -> list[str]:
    """An address as it would stand on a parcel: the United States' and Canada's way, else postal code first."""
    if address.country.upper() in {"US", "CA", "AU"}:
        town = f"{address.city}, {address.region or ''} {address.postal_code}"
    else:
        town = f"{address.postal_code} {address.city}"
    country = locale.territories.get(address.country.upper(), address.country)
    lines = [address.name, address.line1, address.line2 or "", town, country]
    return [line for line in (one_line(line, LONGEST_FIELD) for line in lines) if line]
