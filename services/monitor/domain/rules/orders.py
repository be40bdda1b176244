"""Orders that wait for a person: each is an incident of its own until checkout says that it is settled."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from services.monitor.domain.facts import Facts, HeldOrder, Limits
from services.monitor.domain.rules.verdict import NO_DATA, Alert, Rule, Severity, Verdict

# So many orders of a reason have an incident each; what is more than a person can look at is counted in one.
ORDERS_NAMED = 25
OTHERS = "others"

RELEASE = "`python -m deploy.ops release-hold ORDER --reason …`"


@dataclass(frozen=True)
class Advice:
    """What a hold is called, what it says of its order, how grave it is, and what a person does about it."""

    title: str
    says: str
    severity: Severity
    next_step: str
    is_mended_alone: bool = False  # most of the time; then it is only told when it lasts


ADVICE: Mapping[str, Advice] = {
    "payment_differs": Advice(
        "Wrong payment",
        "was paid with another amount or currency than it costs, or with another order's payment",
        Severity.CRITICAL,
        "Compare it with the payment in Stripe's Dashboard. `python -m deploy.ops refund ORDER` gives the money back, "
        "and the hold ends with that. Nothing is sent meanwhile.",
    ),
    "paid_twice": Advice(
        "Paid twice",
        "was paid twice, and the second payment has not been given back by itself",
        Severity.CRITICAL,
        "Look at the second payment in Stripe's Dashboard and at the order's timeline: the refund failed, or a dispute "
        "stands in its way. The hold ends once the money is back.",
        is_mended_alone=True,
    ),
    "paid_too_late": Advice(
        "Paid too late",
        "was paid after its reservation had ended, and the money has not been given back by itself",
        Severity.CRITICAL,
        "Look at the payment in Stripe's Dashboard and at the order's timeline: the refund failed, or a dispute stands "
        "in its way. The hold ends once the money is back.",
        is_mended_alone=True,
    ),
    "refund_failed": Advice(
        "Refund failed",
        "has a refund that failed: the customer does not have the money, and was not told so",
        Severity.CRITICAL,
        "Ask the customer for another way to pay it back, or refund anew with `python -m deploy.ops refund ORDER`; "
        f"then {RELEASE}.",
    ),
    "fraud_warning": Advice(
        "Fraud warning",
        "is, by a warning of the card's bank, not paid by the card's owner",
        Severity.CRITICAL,
        "Decide: refund all of it (`python -m deploy.ops refund ORDER`) before it becomes a dispute with a fee, which "
        f"ends the hold; or, if you know the customer, send it all the same after {RELEASE}.",
    ),
    "review": Advice(
        "Payment under review",
        "has a payment that Radar wants a person to look at",
        Severity.WARNING,
        "Approve or refund it under Reviews in Stripe's Dashboard; either ends the hold.",
    ),
}
OTHERWISE = Advice(
    "Order held",
    "is held",
    Severity.WARNING,
    "Read the order's timeline: it says what stands against it. Nothing is sent meanwhile.",
)


def held(reason: str | None, facts: Facts, limits: Limits) -> Verdict:
    """The orders held for a reason; None stands for every reason that we don't know."""
    if facts.held is None:
        return NO_DATA
    advice = ADVICE[reason] if reason else OTHERWISE
    patience = limits.refund_patience if advice.is_mended_alone else None
    found = [
        order
        for order in facts.held
        if (order.reason == reason or (reason is None and order.reason not in ADVICE))
        and (patience is None or facts.now - order.since >= patience)
    ]
    alerts = [_alert(name_of(reason), advice, order) for order in found[:ORDERS_NAMED]]
    if rest := len(found) - len(alerts):
        summary = f"{rest} more order{'s' if rest > 1 else ''}: {advice.title.lower()}"
        alerts.append(Alert(name_of(reason), OTHERS, advice.severity, summary, rest))
    return Verdict(tuple(alerts))


def name_of(reason: str | None) -> str:
    """The rule of a reason."""
    return f"order_{reason or 'held'}"


def _alert(rule: str, advice: Advice, order: HeldOrder) -> Alert:
    why = advice.says if order.reason in ADVICE else f"is held: {order.reason}"
    sent = "" if order.fulfilment in ("none", "cancelled") else f"; it was {order.fulfilment.replace('_', ' ')} before"
    return Alert(rule, order.number, advice.severity, f"order {order.number} {why}{sent}")


RULES = tuple(
    Rule(name_of(reason), advice.title, partial(held, reason), advice.next_step)
    for reason, advice in ({None: OTHERWISE} | dict(ADVICE)).items()
)
