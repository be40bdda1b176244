"""What looks like an attack, or like a secret in the wrong hands."""

from functools import partial

from services.monitor.domain.facts import Facts, Limits
from services.monitor.domain.rules.verdict import NO_DATA, Alert, Rule, Severity, Verdict
from services.monitor.domain.security import ADVICE, OTHERWISE, Advice, name_of


def security(name: str, facts: Facts, limits: Limits) -> Verdict:
    """A service saw something suspicious that asks for a person; well again when it has been quiet for the window."""
    if facts.alarms is None:
        return NO_DATA
    minutes = round(limits.security_window.total_seconds() / 60)
    return Verdict(
        tuple(
            Alert(
                name,
                alarm.type,
                Severity.CRITICAL if alarm.is_critical else Severity.WARNING,
                f"{alarm.detail} (event {alarm.count} of the last {minutes} minutes)",
                alarm.count,
            )
            for alarm in facts.alarms.values()
            if name_of(alarm.type) == name
        )
    )


def _of_security(name: str, advice: Advice) -> Rule:
    return Rule(name, advice.title, partial(security, name), advice.next_step)


RULES = (
    *(_of_security(name_of(type_), advice) for type_, advice in ADVICE.items()),
    _of_security("security_other", OTHERWISE),
)
