"""What goes wrong on the way of a webhook: twice, out of order, late, or never."""

import random
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Rules:
    duplicate_probability: float = 0.0  # of an event being sent more than once
    duplicate_count: int = 1  # how many times more
    shuffle_window_s: float = 0.0  # every delivery waits a random time up to this
    delay_s: float = 0.0  # and this much besides
    lose_probability: float = 0.0  # of an event never being delivered: `delivery_success=false` finds it
    lose_next: int = 0  # the next so many events are never delivered
    fail_probability: float = 0.0  # of one attempt getting lost on the way; it is tried again
    fail_next: int = 0  # the next so many attempts get lost on the way
    hold: bool = False  # every delivery stays here until the rule is lifted
    seed: int = 1


class Weather:
    """Rules with their dice."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._random = random.Random(rules.seed)  # noqa: S311 - the same seed gives the same weather

    def pause_s(self) -> float:
        return self.rules.delay_s + self._random.uniform(0, self.rules.shuffle_window_s)

    def extra_copies(self) -> int:
        return self.rules.duplicate_count if self._hits(self.rules.duplicate_probability) else 0

    def loses_event(self) -> bool:
        if self.rules.lose_next > 0:
            self.rules = replace(self.rules, lose_next=self.rules.lose_next - 1)
            return True
        return self._hits(self.rules.lose_probability)

    def loses_attempt(self) -> bool:
        if self.rules.fail_next > 0:
            self.rules = replace(self.rules, fail_next=self.rules.fail_next - 1)
            return True
        return self._hits(self.rules.fail_probability)

    def _hits(self, probability: float) -> bool:
        return probability > 0 and self._random.random() < probability
