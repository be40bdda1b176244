"""The account behind the stand-in: everything that was made in it, in memory."""

import random

from deploy.standins.stripe.cards import Card
from deploy.standins.stripe.clock import Clock
from deploy.standins.stripe.config import Config
from deploy.standins.stripe.events import EventLog
from deploy.standins.stripe.faults import Faults
from deploy.standins.stripe.idempotency import Keys
from deploy.standins.stripe.tables import Table


class Account:
    def __init__(self, config: Config) -> None:
        self.config = config
        self.clock = Clock()
        self.faults = Faults(config.seed)
        # Latency only; nothing secret hangs on it.
        self.random = random.Random(config.seed)  # noqa: S311
        self._clear()

    def reset(self) -> None:
        listener = self.events.listener
        self.clock.forget()
        self.faults.clear()
        self._clear()
        self.events.listener = listener

    def _clear(self) -> None:
        self.customers = Table("customer", "customer")
        self.payment_methods = Table("PaymentMethod", "payment_method")
        self.payment_intents = Table("payment_intent", "intent")
        self.charges = Table("charge", "charge")
        self.balance_transactions = Table("balance transaction", "id")
        self.events = EventLog(self.clock)
        self.keys = Keys()
        self.cards: dict[str, Card] = {}  # by payment method
        self.set_up_methods: set[str] = set()  # authenticated once for later use
        self.charges_of: dict[str, list[str]] = {}  # by payment intent
        self.counts: dict[str, int] = {}  # requests by status
