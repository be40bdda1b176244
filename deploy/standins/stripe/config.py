"""What can be set when a stand-in starts."""

from dataclasses import dataclass

API_VERSION = "2026-09-30.endive"
# Monthly versions of one major only add things: a client may name any. Events are rendered at the above.
API_MAJOR = "endive"

# What stands in for the addresses Stripe sends from: those it published in October 2026.
SENDERS = (
    *("3.18.12.63", "3.69.109.8", "3.120.168.93", "3.130.192.231", "13.235.14.237"),
    *("13.235.122.149", "18.211.135.69", "35.154.171.200", "35.157.207.129", "52.15.183.38"),
    *("54.88.130.119", "54.88.130.237", "54.187.174.169", "54.187.205.235", "54.187.216.72"),
)

# Live, Stripe retries for three days; this is the same idea on a clock that a test can wait for: ten minutes.
FAST_RETRY_STEPS_S = (0.5, 1.0, 2.0, 4.0, 8.0, *([15.0] * 39))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events go. Several secrets mean several `v1` signatures, as while a secret is being rolled."""

    url: str
    secrets: tuple[str, ...]
    events: tuple[str, ...] = ("*",)
    id: str = ""  # given by the stand-in


@dataclass(frozen=True, slots=True)
class Config:
    endpoints: tuple[Endpoint, ...] = ()
    retry_steps_s: tuple[float, ...] = FAST_RETRY_STEPS_S
    delivery_timeout_s: float = 10.0
    delivery_concurrency: int = 16
    delivery_log_length: int = 20_000
    # How long after a payment the balance transaction appears (automatic_async), with charge.updated.
    capture_delay_s: float = 1.0
    # How long a refund stays pending, or takes to fail, with the test cards for it.
    refund_delay_s: float = 1.0
    # How long after a payment a dispute or a fraud warning comes, and how long the bank decides on evidence.
    dispute_delay_s: float = 1.0
    payout_delay_s: float = 1.0
    # How long a debited bank takes to answer: the days of SEPA, on the stand-in's clock.
    debit_delay_s: float = 5 * 86_400.0
    # How far search lags behind what happened. Stripe promises "under a minute" and says an hour is possible.
    search_lag_s: float = 1.0
    # A request on an object that another one holds waits so long before it is answered with a lock timeout.
    lock_wait_s: float = 5.0
    # So many failed confirmations cancel a PaymentIntent.
    confirm_limit: int = 25
    # Every answer takes a random time between these two.
    latency_s: tuple[float, float] = (0.0, 0.0)
    requests_per_s: float | None = None
    requests_per_s_and_endpoint: float | None = None
    requests_at_once: int | None = None
    updates_per_h_and_intent: int = 1000
    # Radar's score is only there with Radar for Fraud Teams.
    has_risk_score: bool = False
    seed: int = 1
