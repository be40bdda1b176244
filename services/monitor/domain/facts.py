"""What the rules judge: facts about now, and the limits that the settings draw."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.monitor.domain.security import Alarm


@dataclass(frozen=True)
class Broker:
    """Our own connection to the broker, and since when it has been as it is."""

    is_connected: bool
    since: datetime

    def is_settled(self, now: datetime, period: timedelta) -> bool:
        """Whether silence means anything: we have been able to hear for a whole period."""
        return self.is_connected and now - self.since >= period


# In standard errors. A share that lies so far off by chance does so once in 740 looks at other tries: with one customer
# in five declined, as is usual, and 60 tries an hour that is less than one false alarm a week.
CHANCE = 3.0


@dataclass(frozen=True)
class Payments:
    """Finished payment tries of the window. A try that the customer gave up is neither."""

    paid: int
    failed: int

    @property
    def finished(self) -> int:
        return self.paid + self.failed

    @property
    def share(self) -> float | None:
        return self.paid / self.finished if self.finished else None

    def is_surely_below(self, target: float) -> bool:
        """Whether even the upper end of Wilson's interval around the share is below the target (0 to 1)."""
        error = math.sqrt(self.finished * target * (1 - target))
        return self.paid < self.finished * target - CHANCE * error


@dataclass(frozen=True)
class Tries:
    """What was tried lately, how much of it failed, and whether that goes on."""

    total: int
    failed: int
    goes_on: bool = True

    def mostly_failed(self, floor: int) -> bool | None:
        """None where it can't be told: too few tries, or neither most failed nor hardly any."""
        if self.failed >= floor and 2 * self.failed >= self.total:
            return True
        return False if self.total and 4 * self.failed <= self.total else None


@dataclass(frozen=True)
class MailEnds:
    """How many letters of the window came to which end."""

    accepted: int = 0
    refused: int = 0
    unknown: int = 0


@dataclass(frozen=True)
class Probe:
    """What a service's /readyz said when we asked it directly."""

    is_ready: bool
    says: str
    at: datetime


@dataclass(frozen=True)
class ShortStock:
    """SKUs that were sold out or became few lately, the latest first."""

    out: tuple[str, ...] = ()
    low: tuple[str, ...] = ()


@dataclass(frozen=True)
class HeldOrder:
    """An order that checkout holds, by the number that people know, and what of it was sent before."""

    number: str
    reason: str
    since: datetime
    fulfilment: str = "none"


@dataclass(frozen=True)
class DisputeDue:
    """A dispute or a bank's inquiry that the shop has to answer, by its order's number, and by when."""

    number: str
    dispute: str
    due_at: datetime


@dataclass(frozen=True)
class Endpoint:
    """Stripe's endpoint for webhooks, as webhooks sees it in its figures."""

    silent_s: float = 0.0  # 0: it is heard as usual, or nobody knows yet what is usual
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class SigningSecrets:
    """How Stripe's signing secrets stand at webhooks: whether any counts, and which in use ends soon, in seconds."""

    are_missing: bool
    has_file_problem: bool
    expiring_s: Mapping[str, float]


@dataclass(frozen=True)
class Reconciliation:
    """Checkout's comparison with Stripe: what waits for a person, by kind, and how long ago it came to its end."""

    findings: Mapping[str, float]
    age: timedelta


@dataclass(frozen=True)
class Facts:
    """Everything that is known at one instant. None stands for "we could not find out"."""

    now: datetime
    broker: Broker
    watching_since: datetime | None = None  # when this monitor started; None: long ago
    heard: Mapping[str, datetime] = field(default_factory=dict)  # service -> its latest snapshot
    readiness: Mapping[str, Probe] = field(default_factory=dict)
    payments: Payments | None = None
    dead_letters: Mapping[str, int] | None = None
    stock: ShortStock | None = None
    held: tuple[HeldOrder, ...] | None = None  # the longest held first
    disputes: tuple[DisputeDue, ...] | None = None  # that wait for an answer, the most urgent first
    alarms: Mapping[str, Alarm] | None = None  # security events that ask for a person, by type
    endpoint: Endpoint | None = None
    signing_secrets: SigningSecrets | None = None
    sender_list_failing_s: float | None = None  # for how long webhooks could not refresh Stripe's list of addresses
    circuits: Mapping[str, float] = field(default_factory=dict)  # service -> breaker before Stripe: 0 is closed
    reconciliation: Reconciliation | None = None
    answers: Mapping[str, Mapping[str, Tries]] = field(default_factory=dict)  # service -> route -> answers, failed: 5xx
    calls: Mapping[str, Tries] = field(
        default_factory=dict
    )  # service -> requests to Stripe, failed: our key is refused
    mail_overdue_s: float | None = None  # for how long the oldest due letter to a customer has been due
    mail_tries: Tries | None = None  # to send one, of the last hour
    mail_ends: MailEnds | None = None
    broken: Mapping[str, str] | None = None  # invariant -> what breaks it
    unasked: Mapping[str, int] | None = None  # invariant -> for how many rounds it could not be asked


@dataclass(frozen=True)
class Limits:
    """Where the rules draw their lines, beginning with who is watched and how."""

    expected_services: tuple[str, ...] = ("checkout", "webhooks", "notifier", "monitor")
    probed_services: tuple[str, ...] = ()
    silent_after: timedelta = timedelta(seconds=30)
    broker_away_after: timedelta = timedelta(seconds=10)
    database_away_after: timedelta = timedelta(seconds=30)
    payment_window: timedelta = timedelta(minutes=15)
    payment_target: float = 0.7
    payment_floor: int = 10
    payment_failures: int = 3
    dead_letters_critical: int = 100
    refund_patience: timedelta = timedelta(minutes=10)  # for money that is given back by itself
    dispute_urgent: timedelta = timedelta(days=3)  # evidence takes a person, and a day without one may be in it
    security_window: timedelta = timedelta(minutes=15)
    reconciliation_overdue: timedelta = timedelta(hours=4)
    sender_list_failing_after: timedelta = timedelta(hours=6)
    failing_within: timedelta = timedelta(minutes=10)  # of this answers and calls are judged
    failing_floor: int = 5
    unasked_rounds: int = 3
    mail_overdue_after: timedelta = timedelta(minutes=10)
    mail_window: timedelta = timedelta(hours=6)
    mail_lost_floor: int = 3
    mail_lost_share: float = 0.1  # some addresses are mistyped in every shop
