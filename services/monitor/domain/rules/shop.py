"""Whether customers can pay, whether there is something to sell, and whether the books are right."""

from services.monitor.domain.facts import Facts, Limits
from services.monitor.domain.rules.verdict import NO_DATA, Alert, Severity, Verdict

# So many SKUs are named in a message; all are counted.
STOCK_NAMED = 5


def payment_success_low(facts: Facts, limits: Limits) -> Verdict:
    """Fewer of the finished payment tries were paid than chance explains while the shop does reach its target.

    Well again at the target. In between it can't tell: that neither opens an incident nor resolves one.
    """
    payments = facts.payments
    if payments is None or not facts.broker.is_settled(facts.now, limits.silent_after):
        return NO_DATA
    if payments.share is None:
        return NO_DATA
    if payments.finished < limits.payment_floor:
        # Too few to call it wrong. To call it well, fewer will do: else what ended in the evening ends at noon.
        is_well = payments.share >= limits.payment_target and payments.paid >= limits.payment_failures
        return Verdict() if is_well else NO_DATA
    if payments.share >= limits.payment_target or payments.failed < limits.payment_failures:
        return Verdict()
    if not payments.is_surely_below(limits.payment_target):
        return NO_DATA
    summary = (
        f"{payments.paid} of {payments.finished} payment tries of the last "
        f"{round(limits.payment_window.total_seconds() / 60)} minutes were paid "
        f"({payments.share:.0%}; the target is {limits.payment_target:.0%})"
    )
    return Verdict((Alert("payment_success_low", "payments", Severity.CRITICAL, summary, payments.failed),))


def stock_short(facts: Facts, limits: Limits) -> Verdict:
    """One incident for all that is sold out and one for all that is low, however many SKUs: a launch is no flood."""
    if facts.stock is None:
        return NO_DATA
    found = []
    for subject, skus, are in (("sold out", facts.stock.out, "sold out"), ("low", facts.stock.low, "almost sold out")):
        if skus:
            named = ", ".join(skus[:STOCK_NAMED]) + (" and others" if len(skus) > STOCK_NAMED else "")
            summary = f"{len(skus)} SKU{'' if len(skus) == 1 else 's'} {are}: {named}"
            found.append(Alert("stock_short", subject, Severity.WARNING, summary, len(skus)))
    return Verdict(tuple(found))
