"""What sending needs, what it claims, and how both are counted and logged."""

from dataclasses import dataclass
from uuid import UUID

from services.notifier.domain import Letter, Outcome, Terms
from services.notifier.journal import Journal
from services.notifier.settings import NotifierSettings
from services.notifier.smtp_api import Smtp
from services.notifier.templates import Writer
from shared import metrics
from shared.db import Pool

LETTERS = metrics.counter(
    "notifier_letters_total", "Letters and tries to send them, by what came of them.", ("kind", "outcome")
)


@dataclass(frozen=True)
class Post:
    """What sending needs."""

    pool: Pool
    smtp: Smtp
    writer: Writer
    journal: Journal
    settings: NotifierSettings

    @property
    def terms(self) -> Terms:
        return self.settings.terms()


@dataclass(frozen=True, slots=True)
class Claim:
    """A letter that this process may send now, and the row that says so."""

    letter: Letter
    attempt_id: UUID


def log_facts(letter: Letter, outcome: Outcome) -> dict[str, object]:
    return {
        "letter_id": str(letter.id),
        "order_id": str(letter.order.order_id),
        "kind": letter.kind.value,
        "attempt": letter.attempts,
        "outcome": outcome.result.value,
        "reason": outcome.reason.value if outcome.reason else None,
        "code": outcome.code,
    }
