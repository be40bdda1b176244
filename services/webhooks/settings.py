"""The settings of webhooks: `WEBHOOKS_…` in the environment."""

from datetime import timedelta
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.webhooks.domain.backfill import Pace
from services.webhooks.domain.silence import Floor
from shared.settings import Secret, Secrets, ServiceSettings
from shared.stripe_client import STRIPE_API, Access, Mode, require_mode


class WebhooksSettings(ServiceSettings):
    """What only this service needs. Times are in seconds."""

    model_config = SettingsConfigDict(env_prefix="WEBHOOKS_", frozen=True, extra="ignore")

    stripe_secrets: Secrets = Field(description="signing secrets; more than one while a secret is being rolled")
    livemode: bool = Field(description="whether this installation takes live events or test events")
    # Never 0: Stripe's package reads that as "don't look at the time".
    tolerance_s: int = Field(default=300, ge=1, le=3600, description="how far a signature's time may be off")
    body_limit_bytes: int = Field(default=512 * 1024, ge=1024, le=4 * 1024 * 1024)
    store_timeout_s: float = Field(default=4.0, gt=0, le=20, description="how long a request may wait for the database")
    keep_outbox_days: int = Field(default=40, ge=31)

    # What we ask Stripe by ourselves. Without a key: no backfill, no resyncs, no look at the endpoint.
    stripe_secret_key: Secret | None = Field(default=None, description="restricted: read events, payments, endpoints")
    stripe_url: str = STRIPE_API
    stripe_timeout_s: float = Field(default=10.0, gt=0)
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
            mode: Mode = "live" if self.livemode else "test"
            require_mode(mode, self.stripe_url, stripe_secret_key=(key, ("rk", "sk")))
        if self.outage_after_s <= self.backfill_step_s:
            raise ValueError("outage_after_s has to be longer than backfill_step_s, or every step finds an outage")
        return self

    @field_validator("stripe_secrets")
    @classmethod
    def _none_is_blank(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not all(secret.get_secret_value().strip() for secret in secrets):
            raise ValueError("one of the secrets is blank")
        return secrets

    def secrets(self) -> tuple[str, ...]:
        """The signing secrets, to be handed to the one place that checks signatures."""
        return tuple(secret.get_secret_value() for secret in self.stripe_secrets)

    def access(self) -> Access | None:
        """How Stripe is asked; None without a key."""
        key = self.stripe_secret_key
        return None if key is None else Access(key.get_secret_value(), self.stripe_url, self.stripe_timeout_s)

    def pace(self) -> Pace:
        return Pace(
            timedelta(seconds=self.backfill_interval_s),
            timedelta(seconds=self.backfill_idle_s),
            timedelta(seconds=self.backfill_overlap_s),
        )

    def floor(self) -> Floor:
        return Floor(timedelta(seconds=self.silence_after_s), self.silence_events)
