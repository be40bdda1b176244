"""The rule of payment success over weeks of a shop that is well, and on the day on which it isn't."""

import random
from collections import deque
from dataclasses import replace
from datetime import datetime, timedelta
from statistics import median
from uuid import UUID

import pytest

from services.monitor.domain.facts import Payments
from services.monitor.domain.incidents import Clear, Incident, Open, Patience, Reopen, Resolve, plan
from services.monitor.domain.rules import payment_success_low
from tests.unit.monitor.builders import LIMITS, NOON, an_open_incident, facts

WINDOW_S = LIMITS.payment_window.total_seconds()
WEEK_S, HOUR_S = 7 * 86_400.0, 3600.0


class Shop:
    """Customers who come at random; the monitor looks after each, when something can have changed."""

    def __init__(self, seed: int, tries_an_hour: float) -> None:
        self._random = random.Random(seed)
        self._tries: deque[tuple[float, bool]] = deque()
        self._paid = 0
        self._rate = tries_an_hour / HOUR_S
        self.now_s = 0.0

    def payments(self, share: float) -> Payments:
        """After the next try, which is paid with this probability: those of the window."""
        self.now_s += self._random.expovariate(self._rate)
        is_paid = self._random.random() < share
        self._tries.append((self.now_s, is_paid))
        self._paid += is_paid
        while self._tries[0][0] <= self.now_s - WINDOW_S:
            self._paid -= self._tries.popleft()[1]
        return Payments(self._paid, len(self._tries) - self._paid)


class Incidents:
    """What `plan` says of one rule, carried out as the store does."""

    def __init__(self) -> None:
        self.known: list[Incident] = []
        self.told = 0

    def follow(self, payments: Payments, now: datetime) -> None:
        verdict = payment_success_low(facts(payments=payments), LIMITS)
        for change in plan({"payment_success_low": verdict}, self.known[-1:], now, Patience()):
            self._make(change, now)

    def _make(self, change: object, now: datetime) -> None:
        self.told += isinstance(change, Open | Reopen | Resolve)
        match change:
            case Open(alert):
                made = an_open_incident(id=UUID(int=len(self.known)), rule=alert.rule, subject=alert.subject)
                self.known.append(replace(made, opened_at=now, told_at=now))
            case Clear(incident):
                self.known[-1] = replace(incident, clear_since=now)
            case Resolve(incident):
                self.known[-1] = replace(incident, resolved_at=now)
            case Reopen(incident, _):
                self.known[-1] = replace(incident, resolved_at=None, clear_since=None, reopened_at=now)
            case _:
                self.known[-1] = replace(self.known[-1], clear_since=None)


@pytest.mark.parametrize(
    ("tries_an_hour", "share", "weeks", "at_most"),
    [(60, 0.80, 4, 4), (200, 0.80, 1, 0), (200, 0.75, 1, 4)],
    ids=["a small shop", "a larger one", "closer to the target"],
)
def test_a_shop_that_is_well_is_left_alone(tries_an_hour, share, weeks, at_most):
    shop, incidents = Shop(1, tries_an_hour), Incidents()
    while shop.now_s < weeks * WEEK_S:
        payments = shop.payments(share)
        incidents.follow(payments, NOON + timedelta(seconds=shop.now_s))

    assert len(incidents.known) <= at_most
    assert incidents.told <= 4 * at_most  # opened, resolved, and at most once more each


def seconds_until_told(seed: int, tries_an_hour: float, share: float) -> float:
    """After a well day, from the moment at which only this share is paid any more."""
    shop = Shop(seed, tries_an_hour)
    while shop.now_s < 4 * HOUR_S:
        shop.payments(0.8)
    began_s = shop.now_s
    while not payment_success_low(facts(payments=shop.payments(share)), LIMITS).alerts:
        assert shop.now_s < began_s + 24 * HOUR_S
    return shop.now_s - began_s


@pytest.mark.parametrize(
    ("tries_an_hour", "share", "within_s"),
    [(200, 0.4, WINDOW_S), (60, 0.0, WINDOW_S), (60, 0.2, WINDOW_S), (60, 0.4, 1.5 * WINDOW_S)],
)
def test_a_real_drop_is_told_soon(tries_an_hour, share, within_s):
    """With so few tries as in the last case nothing tells a drop to 40 % from chance sooner."""
    assert median(seconds_until_told(seed, tries_an_hour, share) for seed in range(40)) <= within_s


@pytest.mark.parametrize("seed", range(5))
def test_what_strangers_cards_began_ends_in_a_shop_that_is_never_busy(seed):
    """Eight tries an hour are never as many as the floor asks for; the incident must not stay for weeks."""
    shop, incidents = Shop(seed, tries_an_hour=8), Incidents()
    incidents.follow(Payments(0, 30), NOON)
    while incidents.known[-1].resolved_at is None:
        assert shop.now_s < 24 * HOUR_S
        payments = shop.payments(0.8)
        for later_s in (0, 60):  # the monitor looks between two tries as well
            incidents.follow(payments, NOON + timedelta(seconds=shop.now_s + later_s))
