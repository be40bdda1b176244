"""How much is asked of a peer that has limits, in which order, and whether it is asked at all just now."""

from shared.admission.breaker import Change, CircuitBreaker, State, Trip
from shared.admission.bucket import TokenBucket
from shared.admission.gate import Busy, Gate, Limits, Priority

__all__ = ["Busy", "Change", "CircuitBreaker", "Gate", "Limits", "Priority", "State", "TokenBucket", "Trip"]
