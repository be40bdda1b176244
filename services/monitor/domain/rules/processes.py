"""Processes, the broker between them, and the messages that nobody could handle."""

from datetime import datetime

from services.monitor.domain.facts import Facts, Limits
from services.monitor.domain.rules.verdict import NO_DATA, Alert, Severity, Verdict, clock, is_heard


def service_silent(facts: Facts, limits: Limits) -> Verdict:
    """A process publishes its figures every few seconds; nothing for a while means that it is gone or stuck."""
    if not facts.broker.is_settled(facts.now, limits.silent_after):
        return NO_DATA
    return Verdict(
        tuple(
            Alert("service_silent", service, Severity.CRITICAL, _silence(service, facts.heard.get(service)))
            for service in limits.expected_services
            if not is_heard(service, facts, limits)
        )
    )


def service_unready(facts: Facts, limits: Limits) -> Verdict:
    """While the broker is away nobody can be heard, so the services are asked directly.

    A monitor that has only just started says nothing yet: after a deployment the others are still starting, too.
    """
    if facts.watching_since is not None and facts.now - facts.watching_since < limits.silent_after:
        return Verdict(unknown=frozenset(limits.probed_services))
    if facts.broker.is_settled(facts.now, limits.silent_after):
        quiet = {service for service in limits.probed_services if not is_heard(service, facts, limits)}
        return Verdict(unknown=frozenset(quiet))
    alerts, unknown = [], set()
    for service in limits.probed_services:
        probe = facts.readiness.get(service)
        if probe is None or facts.now - probe.at > limits.silent_after:
            unknown.add(service)
        elif not probe.is_ready:
            summary = f"{service} is not ready, asked directly: {probe.says}"
            alerts.append(Alert("service_unready", service, Severity.CRITICAL, summary))
    return Verdict(tuple(alerts), frozenset(unknown))


def broker_away(facts: Facts, limits: Limits) -> Verdict:
    """Without the broker orders are still taken, and nothing moves on."""
    if facts.broker.is_connected:
        return Verdict()
    if facts.now - facts.broker.since < limits.broker_away_after:
        return NO_DATA
    summary = f"the monitor has had no connection to RabbitMQ since {clock(facts.broker.since)}"
    return Verdict((Alert("broker_away", "rabbitmq", Severity.CRITICAL, summary),))


def dead_letters(facts: Facts, limits: Limits) -> Verdict:
    """A message that could not be handled after all its tries waits for a person."""
    if facts.dead_letters is None:
        return NO_DATA
    return Verdict(
        tuple(
            Alert("dead_letters", queue, _weight(count, limits), _buried(queue, count), count)
            for queue, count in sorted(facts.dead_letters.items())
            if count > 0
        )
    )


def _silence(service: str, last: datetime | None) -> str:
    if last is None:
        return f"{service} has not been heard since the monitor started"
    return f"{service} has not been heard since {clock(last)}"


def _weight(count: int, limits: Limits) -> Severity:
    return Severity.CRITICAL if count >= limits.dead_letters_critical else Severity.WARNING


def _buried(queue: str, count: int) -> str:
    return f"{count} message{'' if count == 1 else 's'} of {queue} could not be handled"
