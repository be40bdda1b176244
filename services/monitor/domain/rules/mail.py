"""Whether customers get their mails: they are the only ones who would notice, and most of them don't ask."""

from services.monitor.domain.facts import Facts, Limits, MailEnds
from services.monitor.domain.rules.verdict import NO_DATA, Alert, Rule, Severity, Verdict, is_heard

# One letter that is put off for an hour is tried five times; the sixth failure is another's.
TRIES_FLOOR = 6
# So often as long as a letter may be late: then it is no jam any more.
STUCK_FACTOR = 6

LOST = {
    "refused": "were refused for good, or could not be sent before it was too late",
    "unknown": "may have arrived or not",
}


def mail_overdue(facts: Facts, limits: Limits) -> Verdict:
    """Letters that are due and that nobody tries to send. One that is put off is not due before its next try."""
    overdue_s, late_s = facts.mail_overdue_s, limits.mail_overdue_after.total_seconds()
    if overdue_s is None or not is_heard("notifier", facts, limits):
        return NO_DATA
    if overdue_s < late_s:
        return Verdict()
    severity = Severity.CRITICAL if overdue_s >= STUCK_FACTOR * late_s else Severity.WARNING
    summary = f"the oldest mail to a customer that is due has been due for {overdue_s / 60:.0f} minutes"
    return Verdict((Alert("mail_overdue", "customers", severity, summary),))


def mail_failing(facts: Facts, limits: Limits) -> Verdict:
    """Most tries fail, for whatever reason: a password that was changed, a server that refuses us, a network."""
    tries = facts.mail_tries
    is_wrong = tries.mostly_failed(TRIES_FLOOR) if tries and is_heard("notifier", facts, limits) else None
    if tries is None or is_wrong is None:
        return NO_DATA
    if not is_wrong:
        return Verdict()
    summary = f"{tries.failed} of {tries.total} tries of the last hour to send a mail to a customer failed"
    return Verdict((Alert("mail_failing", "customers", Severity.CRITICAL, summary, tries.failed),))


def mail_lost(facts: Facts, limits: Limits) -> Verdict:
    """Letters that came to no good end, more than mistyped addresses explain."""
    ends = facts.mail_ends
    if ends is None:
        return NO_DATA
    found = (_lost("refused", ends.refused, ends, limits), _lost("unknown", ends.unknown, ends, limits))
    return Verdict(tuple(alert for alert in found if alert))


def _lost(subject: str, count: int, ends: MailEnds, limits: Limits) -> Alert | None:
    total = ends.accepted + ends.refused + ends.unknown
    if count < limits.mail_lost_floor or count < limits.mail_lost_share * total:
        return None
    severity = Severity.CRITICAL if 2 * count >= total else Severity.WARNING
    hours = limits.mail_window.total_seconds() / 3600
    summary = f"{count} of {total} mails to customers of the last {hours:.0f} hours {LOST[subject]}"
    return Alert("mail_lost", subject, severity, summary, count)


RULES = (
    Rule(
        "mail_overdue",
        "Mails are late",
        mail_overdue,
        "Look at notifier's log and at its figures job_last_success_timestamp_seconds and notifier_letters_waiting: "
        "its jobs stand still, or there is more to send than NOTIFIER_CONCURRENCY allows. Nothing is lost before the "
        "mails expire.",
    ),
    Rule(
        "mail_failing",
        "Mails fail",
        mail_failing,
        "Read reason and code in notifier's log line `mail tried`: `configuration` is our password or TLS, "
        "`connection` the server or the way to it, `policy` and `sender` what it thinks of us. What is put off is sent "
        "by itself once that is mended.",
    ),
    Rule(
        "mail_lost",
        "Mails are lost",
        mail_lost,
        "Read reason and code in notifier's log line `mail tried`: many alike are our fault or the server's, not the "
        "customers'. Mend that first; then `python -m deploy.ops resend-letters --since …` sends again what was "
        "refused or expired.",
    ),
)
