"""The settings of webhooks: `WEBHOOKS_…` in the environment."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from services.webhooks.domain import Expected, SigningSecret
from services.webhooks.domain.backfill import Pace
from services.webhooks.domain.secrets import parse, usable
from services.webhooks.domain.silence import Floor
from services.webhooks.domain.threats import Policy
from shared.settings import Listed, Network, Secret, ServiceSettings
from shared.stripe_client import API_VERSION, Access, Mode, require_mode
from shared.stripe_settings import StripeSettings

STRIPES_LIST = "https://stripe.com/files/ips/ips_webhooks.json"


def _secrets(value: Any) -> Any:
    """From a text as `domain.secrets` describes it; from code also as a list of such texts."""
    if isinstance(value, str):
        return parse(value)
    if isinstance(value, list | tuple):
        return tuple(_secret(each) for each in value)
    return value


def _secret(value: Any) -> SigningSecret:
    if isinstance(value, SigningSecret):
        return value
    (secret,) = parse(value.get_secret_value() if isinstance(value, SecretStr) else str(value))
    return secret


class WebhooksSettings(StripeSettings, ServiceSettings):
    """What only this service needs. Times are in seconds."""

    model_config = SettingsConfigDict(env_prefix="WEBHOOKS_", frozen=True, extra="ignore")

    stripe_secrets: Annotated[tuple[SigningSecret, ...], NoDecode, BeforeValidator(_secrets)] = Field(
        description="signing secrets, the newest first; more than one while a secret is being rolled", min_length=1
    )
    # The same variable that `stripe_secrets` is read from at the start: a file that changes is taken over later, too.
    stripe_secrets_file: Path | None = None
    secrets_look_s: float = Field(default=1.0, gt=0, description="how often the file is looked at")
    secret_warning_h: float = Field(default=6.0, gt=0, description="hours before a secret in use expires")
    livemode: bool = Field(description="whether this installation takes live events or test events")
    # Never 0: Stripe's package reads that as "don't look at the time".
    tolerance_s: int = Field(default=300, ge=1, le=3600, description="how far a signature's time may be off")
    body_limit_bytes: int = Field(default=512 * 1024, ge=1024, le=4 * 1024 * 1024)
    # The version of the endpoint at Stripe; unless told otherwise, the one that our own calls ask for.
    api_version: str = Field(default=API_VERSION, min_length=1, description="in which events are expected")
    store_timeout_s: float = Field(default=4.0, gt=0, le=20, description="how long a request may wait for the database")
    waiting_rows: int = Field(default=2000, ge=1, description="how many may wait to be stored; beyond that: 503")
    waiting_bytes: int = Field(default=16 * 1024 * 1024, ge=4 * 1024 * 1024, description="the same for their size")
    batch_rows: int = Field(default=256, ge=1, le=5000, description="how many are stored by one commit")
    batch_bytes: int = Field(default=4 * 1024 * 1024, ge=64 * 1024, description="the same for their size")
    writers: int = Field(default=1, ge=1, le=4, description="connections that store events, beside the pool's")
    keep_outbox_days: int = Field(default=40, ge=31)
    # Stripe itself remembers 30 days, and may send events of them again.
    keep_events_days: int = Field(
        default=40, ge=31, le=3650, description="how long handled events and resyncs are kept"
    )
    keep_ids_days: int = Field(default=400, ge=60, le=3650, description="how long their ids are known")

    # From where Stripe sends.
    sender_mode: Literal["enforce", "report", "off"] = Field(
        default="report", description="what a valid signature from an address off Stripe's list gets: 403, or an alarm"
    )
    extra_senders: Listed[Network] = Field(default=(), description="accepted beside Stripe's: a relay, a stand-in")
    senders_url: str | None = Field(
        default=None, pattern="^(https?://.+)?$", description="Stripe's list; none: its own if live, else what we ship"
    )
    senders_refresh_s: float = Field(default=3600, gt=0, description="how old a list may be before it is fetched again")
    sender_grace_s: float = Field(default=7 * 86400, ge=0, description="how long an address is welcome off the list")

    # Who is no Stripe. Verified requests are never counted against any of these.
    unverified_per_minute: int = Field(default=60, ge=1, description="from one address, or one /64 of IPv6")
    unverified_in_all_per_minute: int = Field(default=1200, ge=1, description="from all addresses together")
    threat_window_s: int = Field(default=300, ge=1, le=86400, description="in which suspicious requests are counted")
    ban_after: int = Field(default=40, ge=1, description="so many suspicious requests in a window ban their address")
    ban_s: float = Field(default=600, gt=0, le=86400, description="the first ban; each further one is twice as long")

    # What we ask Stripe by ourselves. Without a key: no backfill, no resyncs, no look at the endpoint.
    stripe_secret_key: Secret | None = Field(default=None, description="restricted: read events, payments, endpoints")
    stripe_share: float = Field(default=0.1, gt=0, le=1, description="of what Stripe takes, for this process")
    # Stripe allows at least 10,000 reads in 30 days (and 500 per transaction): checkout needs some of them.
    stripe_reads_per_day: int = Field(default=320, ge=1, description="by all processes of webhooks together")
    backfill_interval_s: float = Field(default=300.0, gt=0, description="between looks for undelivered events")
    backfill_idle_s: float = Field(default=900.0, gt=0, description="the same, widened while nothing is found")
    backfill_overlap_s: float = Field(default=3600.0, ge=0, description="how far a look reaches into the last one's")
    backfill_step_s: float = Field(default=5.0, gt=0, description="how often the leader says that it is up")
    outage_after_s: float = Field(default=60.0, gt=0, description="longer without one: an outage; look at once")
    endpoint_url: str | None = Field(default=None, description="our endpoint as Stripe has it; none: not checked")
    endpoint_check_s: float = Field(default=1800.0, gt=0)
    silence_check_s: float = Field(default=60.0, gt=0)
    silence_after_s: float = Field(default=900.0, gt=0, description="a shorter silence is none")
    silence_events: float = Field(default=6.0, gt=0, description="nor one in which fewer events usually come")
    silence_weeks: int = Field(default=8, ge=2, le=52, description="how many weeks make up what is usual")

    @field_validator("stripe_secret_key", "endpoint_url", mode="before")
    @classmethod
    def _blank_is_none(cls, value: object) -> object:
        """An optional secret's file may be empty."""
        return None if isinstance(value, str) and not value.strip() else value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.stripe_secret_key is not None:
            key = self.stripe_secret_key.get_secret_value()
            require_mode(self.mode, self.stripe_url, stripe_secret_key=(key, ("rk", "sk")))
        if self.outage_after_s <= self.backfill_step_s:
            raise ValueError("outage_after_s has to be longer than backfill_step_s, or every step finds an outage")
        return self

    @field_validator("stripe_secrets")
    @classmethod
    def _one_is_usable(cls, secrets: tuple[SigningSecret, ...]) -> tuple[SigningSecret, ...]:
        if not usable(secrets, datetime.now(UTC)):
            raise ValueError("all of the secrets have expired")
        return secrets

    @model_validator(mode="after")
    def _ids_outlive_their_events(self) -> "WebhooksSettings":
        if self.keep_ids_days < self.keep_events_days:
            raise ValueError("keep_ids_days has to be at least keep_events_days")
        return self

    @model_validator(mode="after")
    def _somebody_can_be_a_sender(self) -> Self:
        """To enforce the list where every client seems to be this machine would refuse all of Stripe's events."""
        if self.sender_mode != "enforce" or self.extra_senders or self.trust.hops or self.trust.networks:
            return self
        if self.host == "localhost" or (self.host[:1].isdigit() and ip_address(self.host).is_loopback):
            raise ValueError(
                f"sender_mode is enforce, but on {self.host} only this machine can call, which isn't Stripe: "
                "say in trusted_hops or trusted_networks which proxies stand in front"
            )
        return self

    def threat_policy(self) -> Policy:
        return Policy(self.ban_after, timedelta(seconds=self.ban_s), timedelta(seconds=self.threat_window_s))

    def list_url(self) -> str | None:
        """Where the list of senders is fetched; only a live installation asks Stripe without being told to."""
        return self.senders_url or (STRIPES_LIST if self.livemode and self.senders_url is None else None)

    def expected(self) -> Expected:
        """What events are taken for ours."""
        return Expected(self.livemode, self.api_version)

    def access(self) -> Access | None:
        """How Stripe is asked; None without a key."""
        key = self.stripe_secret_key
        return None if key is None else self.access_with(key.get_secret_value(), self.mode, probes=1)

    @property
    def mode(self) -> Mode:
        return "live" if self.livemode else "test"

    def pace(self) -> Pace:
        return Pace(
            timedelta(seconds=self.backfill_interval_s),
            timedelta(seconds=self.backfill_idle_s),
            timedelta(seconds=self.backfill_overlap_s),
        )

    def floor(self) -> Floor:
        return Floor(timedelta(seconds=self.silence_after_s), self.silence_events)
