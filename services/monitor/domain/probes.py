"""What an answer of /readyz means while RabbitMQ is away."""

from datetime import datetime

from services.monitor.domain.facts import Probe

READY = 200

# That RabbitMQ is missing is an incident of its own; only what is missing besides is news about the service.
BROKER_CHECKS = frozenset({"broker", "bus", "rabbitmq"})


def read_probe(status: int, document: object, at: datetime) -> Probe:
    """Ready, apart from RabbitMQ; or what else is missing."""
    if status == READY:
        return Probe(True, "ready", at)
    missing = _missing(document)
    if missing and not missing - BROKER_CHECKS:
        return Probe(True, "waits for RabbitMQ", at)
    others = ", ".join(sorted(missing - BROKER_CHECKS))
    return Probe(False, f"it answers {status}" + (f", without {others}" if others else ""), at)


def _missing(document: object) -> frozenset[str]:
    """The fields of a problem document's errors."""
    errors = document.get("errors") if isinstance(document, dict) else None
    if not isinstance(errors, list):
        return frozenset()
    fields = (error.get("field") for error in errors if isinstance(error, dict))
    return frozenset(field[:40] for field in fields if isinstance(field, str))
