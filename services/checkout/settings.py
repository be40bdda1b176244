"""Settings of checkout; the environment variables are these names in capitals behind CHECKOUT_."""

from datetime import timedelta
from functools import cached_property
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.checkout.domain.card_testing import Guard, Kind, Limit
from services.checkout.domain.reconciling import USUAL, Policy
from shared import shopper_tokens
from shared.settings import Secret, Secrets, ServiceSettings
from shared.stripe_client import Mode, require_mode
from shared.stripe_settings import StripeSettings

KEPT_S = 7 * 86400.0  # how long failures, and where orders came from, are kept


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
    # Shops without accounts leave it out: then nobody is signed in. A key set, so that a key can be rotated.
    customer_keys: str | None = Field(
        default=None, description="the public keys (JWKS) of the tokens by which the shop says who is signed in"
    )
    customer_audience: str = Field(default="kct-checkout", min_length=1, description="whom those tokens are for")
    customer_token_s: float = Field(default=900, gt=0, description="a token that lives longer is refused")
    reservation_s: float = Field(default=1800, gt=0, description="how long stock is kept for an unpaid order")
    processing_days: float = Field(
        default=14, gt=0, description="how long stock is kept, after the order, for money that is on its way"
    )
    # A debit takes days, and each look is one of the reads that Stripe counts.
    processing_look_s: float = Field(default=6 * 3600, gt=0, description="how often Stripe is asked where it is")
    # Longer than a call to Stripe with its retries, so that a second try never overlaps the first.
    attempt_lease_s: float = Field(default=45, gt=0)
    # After this long another process takes up an expiry or a resync that was begun and not finished.
    expiry_lease_s: float = Field(default=60, gt=0)
    held_look_s: float = Field(
        default=3600, gt=0, description="how often an order is looked at whose reservation ends only by a person"
    )
    refund_rest_s: float = Field(
        default=2, gt=0, description="until a refund without an outcome is asked for again; twice as long each time"
    )
    attempt_wait_s: float = Field(default=10, gt=0, description="how long a repeated request waits for the first")
    balance_rest_s: float = Field(
        default=300, gt=0, description="how often Stripe's balance is looked at when nothing tells us to"
    )
    # Comparing with Stripe, which allows at least 10,000 reads in 30 days (and 500 per transaction) to all of us.
    reconciles: bool = Field(default=True, description="whether this installation compares itself with Stripe")
    reconcile_interval_s: float = Field(
        default=USUAL.interval_s, gt=0, description="until the next run, after one that found much"
    )
    reconcile_idle_s: float = Field(default=USUAL.idle_s, gt=0, description="the same, widened while nothing is found")
    reconcile_reads: int = Field(
        default=USUAL.reads, ge=10, description="a turn; what is left, the next turn goes on with"
    )
    reconcile_first_days: float = Field(
        default=USUAL.first.days, gt=0, le=365, description="how far back the very first run looks"
    )
    reconcile_overlap_s: float = Field(
        default=USUAL.overlap.total_seconds(), ge=0, description="how far a run reaches into the one before"
    )
    reconcile_settle_s: float = Field(
        default=USUAL.settle.total_seconds(), ge=0, description="so long news has time to come by itself"
    )
    reconcile_stuck_s: float = Field(
        default=USUAL.stuck.total_seconds(), ge=0, description="an unpaid order may outlive its reservation by"
    )
    reconcile_answer_s: float = Field(
        default=USUAL.answer.total_seconds(), ge=0, description="how long webhooks is waited for; 0: not asked"
    )
    shares_account: bool = Field(default=False, description="other shops take money through the same Stripe account")
    live_streams: int = Field(default=2000, ge=1, description="pages told live about their order, per process")
    live_streams_per_order: int = Field(default=6, ge=1)
    live_look_s: float = Field(default=1.0, gt=0, description="how often we look which of their orders changed")
    # Shorter than what proxies allow a silent connection; it is also how a page learns that the line is dead.
    live_heartbeat_s: float = Field(default=15.0, gt=0)
    shop_name: str = "KCT Menswear"

    # Who tries stolen cards here. Failures of cards count; successes never do.
    card_testing: Literal["enforce", "report", "off"] = Field(
        default="enforce", description="what too many failures get: 429 and the end of their order, or only an alarm"
    )
    card_testing_window_s: float = Field(default=3600, gt=0, le=KEPT_S, description="in which failures are counted")
    card_testing_card_window_s: float = Field(default=86400, gt=0, le=KEPT_S, description="the same for one card")
    card_testing_per_order: int = Field(default=8, ge=4, description="so many refused cards are too many")
    card_testing_per_card: int = Field(default=8, ge=4)
    card_testing_per_email: int = Field(default=10, ge=4)
    card_testing_per_customer: int = Field(default=10, ge=4, description="one who is signed in")
    card_testing_per_address: int = Field(default=30, ge=4, description="a household, an office, a mobile network")
    card_testing_in_shop: int = Field(default=300, ge=4, description="refuses nobody; raises the alarm")
    card_testing_unpaid_per_email: int = Field(default=15, ge=4, description="orders placed in the window and not paid")
    card_testing_unpaid_per_customer: int = Field(default=15, ge=4)
    card_testing_unpaid_per_address: int = Field(default=60, ge=4)

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

    @model_validator(mode="after")
    def _runs_meet(self) -> Self:
        """A payment is made while its order is reserved: a run must reach back to where such orders were placed."""
        if self.reconcile_overlap_s < self.reservation_s + self.reconcile_settle_s:
            raise ValueError("reconcile_overlap_s has to be at least reservation_s + reconcile_settle_s")
        return self

    def reconciliation(self) -> Policy:
        return Policy(
            settle=timedelta(seconds=self.reconcile_settle_s),
            books=timedelta(seconds=self.reconcile_settle_s + 2 * self.balance_rest_s),
            stuck=timedelta(seconds=self.reconcile_stuck_s),
            answer=timedelta(seconds=self.reconcile_answer_s),
            interval_s=self.reconcile_interval_s,
            idle_s=self.reconcile_idle_s,
            first=timedelta(days=self.reconcile_first_days),
            overlap=timedelta(seconds=self.reconcile_overlap_s),
            reads=self.reconcile_reads,
            is_shared=self.shares_account,
        )

    @field_validator("customer_keys")
    @classmethod
    def _are_public_keys(cls, text: str | None) -> str | None:
        if text is not None:
            shopper_tokens.read_keys(text)
        return text

    @cached_property
    def shopper_keys(self) -> shopper_tokens.Keys:
        return shopper_tokens.read_keys(self.customer_keys) if self.customer_keys else {}

    @cached_property
    def guard(self) -> Guard | None:
        """The guard against card testing; None: nothing is counted. Its hashes are keyed by the tokens' newest key."""
        if self.card_testing == "off":
            return None
        window, card_window = (
            timedelta(seconds=self.card_testing_window_s),
            timedelta(seconds=self.card_testing_card_window_s),
        )
        failures = {
            Kind.ORDER: Limit(self.card_testing_per_order, window),
            Kind.CARD: Limit(self.card_testing_per_card, card_window),
            Kind.EMAIL: Limit(self.card_testing_per_email, window),
            Kind.CUSTOMER: Limit(self.card_testing_per_customer, window),
            Kind.ADDRESS: Limit(self.card_testing_per_address, window),
            Kind.SHOP: Limit(self.card_testing_in_shop, window),
        }
        unpaid = {
            Kind.EMAIL: Limit(self.card_testing_unpaid_per_email, window),
            Kind.CUSTOMER: Limit(self.card_testing_unpaid_per_customer, window),
            Kind.ADDRESS: Limit(self.card_testing_unpaid_per_address, window),
        }
        return Guard(self.token_keys()[0], failures, unpaid, is_enforced=self.card_testing == "enforce")

    def token_keys(self) -> list[str]:
        return [key.get_secret_value() for key in self.order_token_keys]

    def mail_link_keys(self) -> list[str]:
        return [key.get_secret_value() for key in self.link_keys]
