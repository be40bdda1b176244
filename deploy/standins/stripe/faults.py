"""Faults by rule: which request goes wrong, and how."""

import random
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

from deploy.standins.stripe.ids import new_id

KINDS = (
    "latency",  # answer later; the effect comes after the wait too
    "error_before",  # 500, nothing happened, nothing stored under the key
    "error_after",  # 500, but it happened
    "cut_before",  # the body stops in the middle, nothing happened
    "cut_after",  # the body stops in the middle, but it happened
    "drop_before",  # no answer at all, nothing happened
    "drop_after",  # no answer at all, but it happened
    "rate_limit",  # 429
    "lock_timeout",  # 429 with code lock_timeout
)


@dataclass(frozen=True, slots=True)
class Fault:
    kind: str
    method: str = "*"
    path: str = "/v1/*"  # a glob; * goes over slashes
    nth: int = 1  # the first matching request that is hit
    times: int | None = 1  # how many are hit; None: all from then on
    probability: float = 1.0
    delay_s: float = 0.0  # latency
    reason: str | None = "endpoint-rate"  # rate_limit; null sends no header
    # error_after: "error" keeps the 500 under the idempotency key, as Stripe documents; "result" keeps what
    # happened, as when something between Stripe and us failed.
    stored: str = "error"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}")
        if self.stored not in {"error", "result"}:
            raise ValueError("stored is error or result")


@dataclass(slots=True)
class _Rule:
    id: str
    fault: Fault
    seen: int = 0
    hits: int = 0


class Faults:
    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.clear()

    def clear(self) -> None:
        self._rules: list[_Rule] = []
        self._random = random.Random(self._seed)  # noqa: S311 - the same seed gives the same faults

    def add(self, fault: Fault) -> str:
        rule = _Rule(new_id("fault", 8), fault)
        self._rules.append(rule)
        return rule.id

    def remove(self, rule_id: str) -> bool:
        before = len(self._rules)
        self._rules = [rule for rule in self._rules if rule.id != rule_id]
        return len(self._rules) < before

    def describe(self) -> list[dict[str, Any]]:
        return [{"id": rule.id, **asdict(rule.fault), "seen": rule.seen, "hits": rule.hits} for rule in self._rules]

    def strike(self, method: str, path: str) -> tuple[float, Fault | None]:
        """How long to wait, and the fault that hits this request: the first of the rules that apply."""
        delay_s, hit = 0.0, None
        for rule in self._rules:
            if not self._is_due(rule, method, path):
                continue
            if rule.fault.kind == "latency":
                rule.hits += 1
                delay_s += rule.fault.delay_s
            elif hit is None:
                rule.hits += 1
                hit = rule.fault
        return delay_s, hit

    def _is_due(self, rule: _Rule, method: str, path: str) -> bool:
        fault = rule.fault
        if fault.method not in {"*", method} or not fnmatchcase(path, fault.path):
            return False
        rule.seen += 1
        if rule.seen < fault.nth or (fault.times is not None and rule.hits >= fault.times):
            return False
        return fault.probability >= 1 or self._random.random() < fault.probability
