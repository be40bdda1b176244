"""Whether what we hold is what Stripe holds, as checkout finds it, and whether anybody looks."""

from collections.abc import Mapping

from services.monitor.domain.facts import Facts, Limits
from services.monitor.domain.rules.verdict import NO_DATA, Alert, Severity, Verdict, is_heard

# What checkout raises (its Difference), for people.
FINDINGS: Mapping[str, str] = {
    "no_order": "money at Stripe that no order stands for",
    "amount_differs": "payments of another amount or currency than their order",
    "contradicts": "payments and orders that contradict each other",
    "not_at_stripe": "orders whose payment Stripe does not know",
    "stuck": "orders that are long neither paid nor released",
    "balance_differs": "balance transactions that are booked otherwise",
}
# Nobody's money is in doubt.
HARMLESS = frozenset({"stuck"})


def reconciliation_finding(facts: Facts, limits: Limits) -> Verdict:
    """What checkout found at Stripe and may not put right by itself: an incident a kind, until all of it is settled."""
    found = facts.reconciliation
    if found is None or not is_heard("checkout", facts, limits):
        return NO_DATA
    return Verdict(
        tuple(
            Alert(
                "reconciliation_finding",
                kind,
                Severity.WARNING if kind in HARMLESS else Severity.CRITICAL,
                f"reconciliation found {round(count)} {FINDINGS.get(kind, kind)}",
                round(count),
            )
            for kind, count in sorted(found.findings.items())
            if count > 0
        )
    )


def reconciliation_overdue(facts: Facts, limits: Limits) -> Verdict:
    """Nobody has compared everything with Stripe for too long: what was missed stays so."""
    found = facts.reconciliation
    if found is None or not is_heard("checkout", facts, limits):
        return NO_DATA
    if found.age < limits.reconciliation_overdue:
        return Verdict()
    summary = f"for {found.age.total_seconds() / 3600:.1f} h no comparison with Stripe has come to its end"
    return Verdict((Alert("reconciliation_overdue", "stripe", Severity.WARNING, summary),))
