"""Settings of checkout; the environment variables are these names in capitals behind CHECKOUT_."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from shared.settings import Secret, Secrets, ServiceSettings
from shared.stripe_client import Mode, require_mode
from shared.stripe_settings import StripeSettings


class CheckoutSettings(StripeSettings, ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="CHECKOUT_", frozen=True)

    stripe_mode: Mode
    stripe_secret_key: Secret
    stripe_publishable_key: str = Field(min_length=1)
    # Of one process of checkout beside one of webhooks; four processes would have 0.22 each.
    stripe_share: float = Field(default=0.9, gt=0, le=1, description="of what Stripe takes, for this process")
    # Newest first: the first signs, all verify, so that a key can be rotated.
    order_token_keys: Secrets
    # The notifier signs the links in mails with its newest; all are verified here.
    link_keys: Secrets
    reservation_s: float = Field(default=1800, gt=0, description="how long stock is kept for an unpaid order")
    # Longer than a call to Stripe with its retries, so that a second try never overlaps the first.
    attempt_lease_s: float = Field(default=45, gt=0)
    # After this long another process takes up an expiry or a resync that was begun and not finished.
    expiry_lease_s: float = Field(default=60, gt=0)
    attempt_wait_s: float = Field(default=10, gt=0, description="how long a repeated request waits for the first")
    balance_rest_s: float = Field(
        default=300, gt=0, description="how often Stripe's balance is looked at when nothing tells us to"
    )
    live_streams: int = Field(default=2000, ge=1, description="pages told live about their order, per process")
    live_streams_per_order: int = Field(default=6, ge=1)
    live_look_s: float = Field(default=1.0, gt=0, description="how often we look which of their orders changed")
    # Shorter than what proxies allow a silent connection; it is also how a page learns that the line is dead.
    live_heartbeat_s: float = Field(default=15.0, gt=0)
    shop_name: str = "KCT Menswear"

    @model_validator(mode="after")
    def _keys_of_one_mode(self) -> Self:
        """A key of the other mode, or a live key for anything but Stripe, stops the start."""
        require_mode(
            self.stripe_mode,
            self.stripe_url,
            stripe_secret_key=(self.stripe_secret_key.get_secret_value(), ("sk", "rk")),
            stripe_publishable_key=(self.stripe_publishable_key, ("pk",)),
        )
        return self

    def token_keys(self) -> list[str]:
        return [key.get_secret_value() for key in self.order_token_keys]

    def mail_link_keys(self) -> list[str]:
        return [key.get_secret_value() for key in self.link_keys]
