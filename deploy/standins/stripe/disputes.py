"""Disputes: what the cardholder's bank says, what the shop answers, and who keeps the money."""

from deploy.standins.stripe import balance, errors, reviews
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.call import Origin
from deploy.standins.stripe.clock import DAY_S
from deploy.standins.stripe.evidence_fields import NO_EVIDENCE
from deploy.standins.stripe.ids import new_id
from deploy.standins.stripe.tables import Json

FEE = 1500
ANSWER_WITHIN_S = 9 * DAY_S

NETWORK_REASONS = {"fraudulent": "10.4", "product_not_received": "13.1", "duplicate": "12.6", "general": "10.4"}
ENDED = ("won", "lost", "warning_closed", "prevented")


def open_dispute(account: Account, charge: Json, reason: str, *, is_inquiry: bool = False) -> Json:
    if not charge["captured"]:
        raise errors.conflicting("Only a captured charge can be disputed.", None)
    dispute = _new_dispute(account, charge, reason, is_inquiry)
    account.disputes.add(dispute)
    charge["disputed"] = True
    if not is_inquiry:
        _withdraw(account, dispute)
    account.events.emit("charge.dispute.created", dispute)
    if not is_inquiry:
        account.events.emit("charge.dispute.funds_withdrawn", dispute)
    reviews.close_of(account, charge, "disputed")
    reviews.warnings_no_longer_actionable(account, charge)
    account.clock.later(ANSWER_WITHIN_S, lambda: _expire(account, dispute))
    return dispute


def _new_dispute(account: Account, charge: Json, reason: str, is_inquiry: bool) -> Json:
    now = account.clock.now()
    brand = charge["payment_method_details"]["card"]["brand"]
    network_reason = NETWORK_REASONS.get(reason, "10.4")
    return {
        "id": new_id("du"),
        "object": "dispute",
        "amount": charge["amount_captured"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict(NO_EVIDENCE),
        "evidence_details": {
            "due_by": now + ANSWER_WITHIN_S,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": is_inquiry,
        "livemode": False,
        "metadata": {},
        "network_reason_code": network_reason,
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": brand,
                "case_type": "inquiry" if is_inquiry else "chargeback",
                "network": brand,
                "network_reason_code": network_reason,
            },
            "type": "card",
        },
        "reason": reason,
        "status": "warning_needs_response" if is_inquiry else "needs_response",
    }


def _withdraw(account: Account, dispute: Json) -> None:
    entry = balance.book(account, "adjustment", dispute, -dispute["amount"], FEE)
    dispute.update(balance_transactions=[*dispute["balance_transactions"], entry], is_charge_refundable=False)


def is_inquiry(dispute: Json) -> bool:
    return str(dispute["status"]).startswith("warning_")


def refuse_if_ended(dispute: Json) -> None:
    if dispute["status"] in ENDED:
        raise errors.conflicting(f"This dispute is over: {dispute['status']}.", None)


def amend(account: Account, dispute: Json, origin: Origin | None, **changed: object) -> None:
    """Changes it and tells of it with what it was before."""
    previous = {name: dispute[name] for name in changed if dispute[name] != changed[name]}
    dispute.update(changed)
    account.events.emit("charge.dispute.updated", dispute, origin, previous)


def win(account: Account, dispute: Json) -> None:
    """The money comes back with the fee; an inquiry took none."""
    refuse_if_ended(dispute)
    if is_inquiry(dispute):
        _close(account, dispute, "warning_closed")
        return
    entry = balance.book(account, "adjustment", dispute, dispute["amount"], -FEE)
    dispute["balance_transactions"] = [*dispute["balance_transactions"], entry]
    dispute["status"] = "won"
    account.events.emit("charge.dispute.funds_reinstated", dispute)
    _close(account, dispute, "won")


def lose(account: Account, dispute: Json, origin: Origin | None = None) -> None:
    #
    refuse_if_ended(dispute)
    _close(account, dispute, "warning_closed" if is_inquiry(dispute) else "lost", origin)


def _close(account: Account, dispute: Json, status: str, origin: Origin | None = None) -> None:
    dispute["status"] = status
    account.events.emit("charge.dispute.closed", dispute, origin)


def escalate(account: Account, dispute: Json) -> None:
    """The bank is not content with the answer to its inquiry: now it takes the money."""
    if not is_inquiry(dispute) or dispute["status"] in ENDED:
        raise errors.conflicting("Only an open inquiry can be escalated.", None)
    card = {**dispute["payment_method_details"]["card"], "case_type": "chargeback"}
    _withdraw(account, dispute)
    details = {**dispute["evidence_details"], "submission_count": 0, "has_evidence": False}
    amend(
        account,
        dispute,
        None,
        status="needs_response",
        evidence_details={**details, "due_by": account.clock.now() + ANSWER_WITHIN_S},
        payment_method_details={"card": card, "type": "card"},
    )
    account.events.emit("charge.dispute.funds_withdrawn", dispute)
    account.clock.later(ANSWER_WITHIN_S, lambda: _expire(account, dispute))


def show_status(account: Account, dispute: Json, status: str) -> None:
    """Statuses that the bank or Stripe brings about by other ways: appeals, prevention, a review of its own."""
    amend(account, dispute, None, status=status)


def _expire(account: Account, dispute: Json) -> None:
    """Nobody answered in time."""
    is_due = dispute["evidence_details"]["due_by"] <= account.clock.now()
    if dispute["status"] in {"needs_response", "warning_needs_response"} and is_due:
        dispute["evidence_details"] = {**dispute["evidence_details"], "past_due": True}
        lose(account, dispute)
