"""What the shop answers to a dispute, and the words that decide a test dispute."""

from deploy.standins.stripe import disputes, errors, params
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.call import Call
from deploy.standins.stripe.evidence_fields import FILES, MOST_CHARACTERS, TEXTS
from deploy.standins.stripe.params import Spec
from deploy.standins.stripe.tables import Json

EVIDENCE = params.nested({name: params.text(MOST_CHARACTERS) for name in (*TEXTS, *FILES)})
UPDATE = Spec(
    {"evidence": EVIDENCE, "metadata": params.metadata, "submit": params.flag, "expand": params.EXPAND},
)
NOTHING = Spec({"expand": params.EXPAND})
LIST = Spec({**params.PAGE, "charge": params.text(), "payment_intent": params.text()})


def update(call: Call) -> Json:
    """Evidence is submitted at once unless `submit=false` keeps it back."""
    values = params.read(call.form, UPDATE)
    dispute = call.account.disputes.find(call.path["dispute"])
    changed: Json = {}
    if "metadata" in values:
        changed["metadata"] = params.merge_metadata(dispute["metadata"], values["metadata"])
    if values.get("evidence") or "submit" in values:
        changed.update(_answered(dispute, values.get("evidence") or {}, is_submitted=values.get("submit", True)))
    if changed:
        disputes.amend(call.account, dispute, call.origin, **changed)
    if changed.get("evidence_details", {}).get("submission_count"):
        call.account.clock.later(call.account.config.dispute_delay_s, lambda: _decide(call.account, dispute))
    return dispute


def _answered(dispute: Json, given: Json, *, is_submitted: bool) -> Json:
    if dispute["status"] not in {"needs_response", "warning_needs_response"}:
        message = f"This dispute takes no evidence any more: its status is {dispute['status']}."
        raise errors.conflicting(message, None)
    evidence = {**dispute["evidence"], **given}
    if sum(len(evidence[name] or "") for name in TEXTS) > MOST_CHARACTERS:
        raise errors.invalid(f"The evidence is longer than {MOST_CHARACTERS} characters.", param="evidence")
    details = {**dispute["evidence_details"], "has_evidence": any(evidence.values())}
    if not is_submitted:
        return {"evidence": evidence, "evidence_details": details}
    details.update(submission_count=1, submission_method="manual")
    status = "warning_under_review" if disputes.is_inquiry(dispute) else "under_review"
    return {"evidence": evidence, "evidence_details": details, "status": status}


def _decide(account: Account, dispute: Json) -> None:
    #
    if dispute["status"] not in {"under_review", "warning_under_review"}:
        return
    word = dispute["evidence"]["uncategorized_text"]
    if word == "winning_evidence":
        disputes.win(account, dispute)
    elif word == "losing_evidence":
        disputes.lose(account, dispute)
    elif word == "escalate_inquiry_evidence" and disputes.is_inquiry(dispute):
        disputes.escalate(account, dispute)


def close(call: Call) -> Json:
    """The shop accepts the loss, for good."""
    params.read(call.form, NOTHING)
    dispute = call.account.disputes.find(call.path["dispute"])
    if dispute["status"] not in {"needs_response", "warning_needs_response"}:
        raise errors.conflicting(f"This dispute cannot be closed: its status is {dispute['status']}.", None)
    disputes.lose(call.account, dispute, call.origin)
    return dispute


def retrieve(call: Call) -> Json:
    params.read(call.form, NOTHING)
    return call.account.disputes.find(call.path["dispute"])


def list_all(call: Call) -> Json:
    values = params.read(call.form, LIST)
    wanted = {name: values.get(name) for name in ("charge", "payment_intent")}
    return call.account.disputes.page("/v1/disputes", values, wanted=wanted)
