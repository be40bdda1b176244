"""Early fraud warnings: the bank of the card believes that its owner didn't pay. A dispute mostly follows."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class FraudWarning:
    """A warning as Stripe shows it now. Not actionable: the charge was disputed, or wholly given back."""

    id: str
    payment_intent_id: str
    charge_id: str | None
    fraud_type: str
    is_actionable: bool
    warned_at: datetime
