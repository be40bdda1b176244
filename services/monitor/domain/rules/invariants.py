"""What must be true of money, stock and mail, and whether that can be asked."""

from services.monitor.domain.facts import Facts, Limits
from services.monitor.domain.rules.verdict import NO_DATA, Alert, Rule, Severity, Verdict

ALL = "all"


def invariant_broken(facts: Facts, limits: Limits) -> Verdict:
    """What must be true of money, stock and mail whatever happens; there is no number below which it may be false."""
    if facts.broken is None:
        return NO_DATA
    alerts = (
        Alert("invariant_broken", name, Severity.CRITICAL, f"{name}: {what}")
        for name, what in sorted(facts.broken.items())
    )
    return Verdict(tuple(alerts), frozenset(facts.unasked or ()))


def invariants_unchecked(facts: Facts, limits: Limits) -> Verdict:
    """A question that gets no answer looks like one that all is well: after a few rounds that is told."""
    if facts.unasked is None:
        return NO_DATA
    return Verdict(
        tuple(
            Alert("invariants_unchecked", name, Severity.WARNING, _unchecked(name, rounds))
            for name, rounds in sorted(facts.unasked.items())
            if rounds >= limits.unasked_rounds
        )
    )


def _unchecked(name: str, rounds: int) -> str:
    what = "none of the invariants" if name == ALL else f"the invariant {name}"
    return f"{what} could be checked, {rounds} times in a row"


RULES = (
    Rule(
        "invariant_broken",
        "Invariant broken",
        invariant_broken,
        "Run services/monitor/invariants/<name>.sql as the auditor: each row is one thing that is wrong. "
        "Correct nothing by hand before it is clear how it came about.",
    ),
    Rule(
        "invariants_unchecked",
        "Invariants not checked",
        invariants_unchecked,
        "Read why in the monitor's log line `invariant could not be checked`: QueryCanceledError is a question that "
        "took longer than a minute, InsufficientPrivilegeError a missing right of the auditor. Meanwhile nobody would "
        "know if it broke.",
    ),
)
