"""The settings of webhooks: `WEBHOOKS_…` in the environment."""

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from shared.settings import Secrets, ServiceSettings


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

    @field_validator("stripe_secrets")
    @classmethod
    def _none_is_blank(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not all(secret.get_secret_value().strip() for secret in secrets):
            raise ValueError("one of the secrets is blank")
        return secrets

    def secrets(self) -> tuple[str, ...]:
        """The signing secrets, to be handed to the one place that checks signatures."""
        return tuple(secret.get_secret_value() for secret in self.stripe_secrets)
