"""The account behind the stand-in: everything that was made in it, in memory."""

import random

from deploy.standins.stripe.cards import Card
from deploy.standins.stripe.clock import Clock
from deploy.standins.stripe.config import Config
from deploy.standins.stripe.events import EventLog
from deploy.standins.stripe.faults import Faults
from deploy.standins.stripe.hooks import Hooks
from deploy.standins.stripe.idempotency import Keys
from deploy.standins.stripe.limits import Limits
from deploy.standins.stripe.locks import Locks
from deploy.standins.stripe.search_index import SearchIndex
from deploy.standins.stripe.tables import Json, Table


class Account:
    def __init__(self, config: Config) -> None:
        self.config = config
        self.clock = Clock()
        self.hooks = Hooks(self.clock, config.endpoints)
        self.faults = Faults(config.seed)
        self.limits = Limits(config, self.clock.time)
        self.search_lag_s = config.search_lag_s
        self._clear(config.seed)

    def reset(self, seed: int | None = None) -> None:
        """Everything but the webhook endpoints."""
        listener = self.events.listener
        self.clock.set_right()
        self.faults.clear()
        self.limits.set_to(self.config)
        self.search_lag_s = self.config.search_lag_s
        self._clear(self.config.seed if seed is None else seed)
        self.events.listener = listener

    def _clear(self, seed: int) -> None:
        # Latency only; nothing secret hangs on it.
        self.random = random.Random(seed)  # noqa: S311
        self.customers = Table("customer", "customer")
        self.payment_methods = Table("PaymentMethod", "payment_method")
        self.payment_intents = Table("payment_intent", "intent")
        self.setup_intents = Table("setup_intent", "intent")
        self.setup_attempts = Table("setup_attempt", "setup_attempt", ("setup_intent",))
        self.confirmation_tokens = Table("confirmation_token", "confirmation_token")
        self.charges = Table("charge", "charge", ("payment_intent",))
        self.refunds = Table("refund", "id", ("charge", "payment_intent"))
        self.disputes = Table("dispute", "dispute", ("charge", "payment_intent"))
        self.reviews = Table("review", "review", ("charge",))
        self.warnings = Table("early_fraud_warning", "early_fraud_warning", ("charge", "payment_intent"))
        self.payouts = Table("payout", "payout")
        self.balance_transactions = Table("balance transaction", "id", ("source",))
        self.search = SearchIndex(self.clock.time, lambda: self.search_lag_s)
        self.events = EventLog(self.clock, self.search)
        self.keys = Keys(self.clock.time)
        self.locks = Locks(self.config.lock_wait_s)
        self.cards: dict[str, Card] = {}  # by payment method
        self.token_methods: dict[str, tuple[Json, Card]] = {}  # what a confirmation token becomes on use
        self.set_up_methods: set[str] = set()  # authenticated once for later use
        self.used_methods: set[str] = set()  # paid with, or detached, without a customer: never again
        self.failures: dict[str, int] = {}  # failed confirmations by payment intent
        self.payout_of: dict[str, str] = {}  # balance transactions that were paid out
        self.counts: dict[str, int] = {}  # requests by status
