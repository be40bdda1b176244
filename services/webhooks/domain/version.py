"""The API version that events are expected in: their shape is frozen at the version of the endpoint."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from services.webhooks.domain.event import StripeEvent
from shared.events import WebhookVersionUnexpected

_NEWS = uuid5(NAMESPACE_URL, "urn:kct:stripe-version")


@dataclass(frozen=True, slots=True)
class Expected:
    """What this installation takes: events of one mode, in one API version."""

    livemode: bool
    api_version: str

    def is_other_version(self, event: StripeEvent) -> bool:
        return event.api_version != self.api_version


def version_news(event: StripeEvent, expected_version: str, now: datetime) -> WebhookVersionUnexpected:
    """What is said of an event in another version. Its id is the version's and the hour's: told once, by whichever
    process comes first, however many such events there are."""
    hour = now.astimezone(UTC).strftime("%Y-%m-%dT%H")
    return WebhookVersionUnexpected(
        id=_news_id(event.api_version, hour),
        occurred_at=now,
        received_version=event.api_version,
        expected_version=expected_version,
        stripe_event_id=event.id,
    )


def _news_id(version: str | None, hour: str) -> UUID:
    return uuid5(_NEWS, f"{version or ''} {hour}")
