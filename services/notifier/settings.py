"""Settings of the notifier; the environment variables are these names in capitals behind NOTIFIER_."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.notifier.domain import Kind, Terms
from shared.settings import Secret, ServiceSettings

# What HTML calls a valid address, and dots only between letters.
_ATOM, _LABEL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+", r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
ADDRESS = rf"^{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*$"
Address = Annotated[str, Field(pattern=ADDRESS, max_length=254)]
Seconds = Annotated[float, Field(gt=0)]

MINUTE, HOUR = 60, 3600

# Text on the accent colour is white; WCAG 2.2, 1.4.3.
LEAST_CONTRAST = 4.5


class NotifierSettings(ServiceSettings):
    """Times are in seconds."""

    model_config = SettingsConfigDict(env_prefix="NOTIFIER_", frozen=True)

    # The shop, as its mails show it
    shop_name: str = Field(default="KCT Menswear", min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")
    shop_url: str | None = Field(default=None, pattern=r"^https?://[^\s\"'<>]+$")
    shop_address: str | None = Field(default=None, pattern=r"^[^\x00-\x1f\x7f]+$", description="for the footer")
    accent_colour: str = Field(default="#1d2b3a", pattern=r"^#[0-9a-fA-F]{6}$", description="behind white text")
    sender: Address = Field(description="From, and where the mail server sends its reports")
    support_email: Address | None = Field(default=None, description="Reply-To, and the address in the footer")
    time_zone: str = Field(default="America/Detroit", description="in which times are written")

    # The link to the order's page
    order_url: str = Field(description="with {order_id} and {token} in it")
    link_key: Secret = Field(description="checkout has it among its link keys")
    link_days: int = Field(default=90, ge=1)

    # The mail server
    smtp_host: str = Field(min_length=1)
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_tls: Literal["none", "starttls", "tls"] = "starttls"
    smtp_username: str | None = None
    smtp_password: Secret | None = None
    smtp_timeout_s: Seconds = Field(default=20, description="for each reply of the server")
    conversation_s: Seconds = Field(default=60, description="for one mail, from connecting to the last reply")
    concurrency: int = Field(default=8, ge=1, le=200, description="conversations at once")
    journal: Path | None = Field(default=None, description="file of the attempts made, on a disk of this machine")
    journal_days: int = Field(default=45, ge=1, description="the oldest backup's age and the longest expiry, together")

    # When
    failure_grace_s: float = Field(default=120, ge=0, description="for another card before a failure mail")
    unknown_resend_s: Seconds = Field(default=15 * MINUTE, description="an unknown confirmation goes once more")
    lease_s: Seconds = Field(default=120, description="after which a sender that says nothing counts as dead")
    backoff_s: tuple[Seconds, ...] = Field(
        default=(1 * MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, 1 * HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR),
        min_length=1,
        description="between tries after 'not now'; the last repeats",
    )
    backoff_jitter: float = Field(default=0.2, ge=0, lt=1)
    confirmation_expiry_s: Seconds = 72 * HOUR
    failure_expiry_s: Seconds = 24 * HOUR
    shipped_expiry_s: Seconds = 72 * HOUR
    refunded_expiry_s: Seconds = 72 * HOUR

    # Claims of handled events must outlive Stripe's 30 days of backfill.
    inbox_days: int = Field(default=45, gt=30)
    outbox_days: int = Field(default=7, ge=1)

    @field_validator("order_url")
    @classmethod
    def _order_url_has_its_places(cls, value: str) -> str:
        if not re.fullmatch(r"https?://[^\s\"'<>{}]*(\{(order_id|token)\}[^\s\"'<>{}]*){2}", value):
            raise ValueError("must be an http(s) address with {order_id} and {token} in it, and no other braces")
        return value

    @field_validator("time_zone")
    @classmethod
    def _time_zone_is_known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("is no time zone of the IANA database") from None
        return value

    @field_validator("accent_colour")
    @classmethod
    def _accent_can_be_read_on(cls, value: str) -> str:
        if contrast(value, "#ffffff") < LEAST_CONTRAST:
            raise ValueError(f"is too light for white text: the contrast must be at least {LEAST_CONTRAST}:1")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError("smtp_username and smtp_password go together")
        if self.smtp_username is not None and self.smtp_tls == "none":
            raise ValueError("a password is not sent over a connection without TLS: set smtp_tls")
        if self.journal_days <= max(self.terms().expiry.values()).days:
            raise ValueError("journal_days must be more than the longest expiry: what was sent meanwhile goes again")
        if self.lease_s < self.conversation_s * 1.5:
            raise ValueError("lease_s must be at least 1.5 times conversation_s, or a slow sender counts as dead")
        return self

    def terms(self) -> Terms:
        """The numbers that decide when a letter goes."""
        return Terms(
            message_id_domain=self.sender.rpartition("@")[2],
            failure_grace=timedelta(seconds=self.failure_grace_s),
            expiry={
                Kind.ORDER_CONFIRMATION: timedelta(seconds=self.confirmation_expiry_s),
                Kind.PAYMENT_FAILED: timedelta(seconds=self.failure_expiry_s),
                Kind.ORDER_SHIPPED: timedelta(seconds=self.shipped_expiry_s),
                Kind.ORDER_REFUNDED: timedelta(seconds=self.refunded_expiry_s),
            },
            backoff=tuple(timedelta(seconds=step) for step in self.backoff_s),
            jitter=self.backoff_jitter,
            resend_unknown_after=timedelta(seconds=self.unknown_resend_s),
            lease=timedelta(seconds=self.lease_s),
        )


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours (#rrggbb), by WCAG 2."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
