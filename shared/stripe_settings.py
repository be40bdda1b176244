"""Settings of every service that asks Stripe for something."""

from pydantic import Field

from shared.admission import Limits, Trip
from shared.settings import Settings
from shared.stripe_client import ACCOUNT_PER_S, ENDPOINT_PER_S, STAND_IN_PER_S, STRIPE_API, Access, Mode


class StripeSettings(Settings):
    """Where Stripe is and how much is asked of it. Times are in seconds."""

    stripe_url: str = STRIPE_API
    stripe_timeout_s: float = Field(default=10.0, gt=0)
    stripe_requests_per_s: float | None = Field(
        default=None, gt=0, description="of the whole account; none: what Stripe allows, 100 live and 25 in test mode"
    )
    stripe_requests_per_s_and_endpoint: float | None = Field(
        default=None, gt=0, description="of one endpoint; none: Stripe's 25"
    )
    stripe_share: float = Field(
        default=1.0, gt=0, le=1, description="of those for this process; the shares of all processes add up to 1"
    )
    stripe_queue: int = Field(default=200, ge=1, description="shoppers that may wait for their turn, and as many jobs")
    stripe_wait_s: float = Field(default=3.0, gt=0, description="who would wait longer is told to come back: 503")

    stripe_circuit_failures: int = Field(
        default=5,
        ge=1,
        description="so often no answer or 5xx, and half of all: Stripe is left alone",
    )
    stripe_circuit_window_s: float = Field(default=30.0, gt=0)
    stripe_circuit_rest_s: float = Field(default=10.0, gt=0, description="at first; then twice as long, up to a minute")

    def limits_at(self, mode: Mode) -> Limits:
        """What this process may ask of Stripe."""
        is_stripe = self.stripe_url == STRIPE_API
        account_per_s = self.stripe_requests_per_s or (ACCOUNT_PER_S[mode] if is_stripe else STAND_IN_PER_S)
        endpoint_per_s = self.stripe_requests_per_s_and_endpoint or (ENDPOINT_PER_S if is_stripe else STAND_IN_PER_S)
        return Limits(
            account_per_s * self.stripe_share,
            min(endpoint_per_s, account_per_s) * self.stripe_share,
            self.stripe_queue,
            self.stripe_wait_s,
        )

    def access_with(self, key: str, mode: Mode, probes: int = 3) -> Access:
        """`probes`: after so many that succeed Stripe counts as well again; one, for who asks every few minutes."""
        trip = Trip(self.stripe_circuit_failures, self.stripe_circuit_window_s, self.stripe_circuit_rest_s, probes)
        return Access(key, self.stripe_url, self.stripe_timeout_s, trip, self.limits_at(mode))
