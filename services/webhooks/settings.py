"""The settings of webhooks: `WEBHOOKS_…` in the environment."""

from typing import Annotated, Any

import orjson
from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode, SettingsConfigDict

from shared.settings import Secret, ServiceSettings


def _split(value: Any) -> Any:
    """A list as JSON, or separated by commas; an empty part is kept, to be refused as an empty secret."""
    if not isinstance(value, str):
        return value
    parts: Any = value.split(",")
    if value.lstrip().startswith("["):
        try:
            parts = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise ValueError("begins like a JSON list and is none") from None
    return [part.strip() if isinstance(part, str) else part for part in parts]


class WebhooksSettings(ServiceSettings):
    """What only this service needs. Times are in seconds."""

    model_config = SettingsConfigDict(env_prefix="WEBHOOKS_", frozen=True, extra="ignore")

    stripe_secrets: Annotated[tuple[Secret, ...], NoDecode, BeforeValidator(_split)] = Field(
        min_length=1, description="signing secrets; more than one while a secret is being rolled"
    )
    livemode: bool = Field(description="whether this installation takes live events or test events")
    # Never 0: Stripe's package reads that as "don't look at the time".
    tolerance_s: int = Field(default=300, ge=1, le=3600, description="how far a signature's time may be off")
    body_limit_bytes: int = Field(default=512 * 1024, ge=1024, le=4 * 1024 * 1024)
    store_timeout_s: float = Field(default=4.0, gt=0, le=20, description="how long a request may wait for the database")
    keep_outbox_days: int = Field(default=40, ge=31)

    def secrets(self) -> tuple[str, ...]:
        """The signing secrets, to be handed to the one place that checks signatures."""
        return tuple(secret.get_secret_value() for secret in self.stripe_secrets)
