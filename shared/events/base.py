"""What every event is made of."""

from datetime import UTC, datetime
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.ids import uuid7


class UnreadableEvent(ValueError):
    """A message body that is no event we know: retrying can't help."""


class Part(BaseModel):
    """A value inside an event."""

    # A field that a newer publisher added is ignored, so that services can be deployed one by one.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(Part):
    """What every event has. `id` is what consumers deduplicate by."""

    type: ClassVar[str]
    version: ClassVar[int] = 1

    id: UUID = Field(default_factory=uuid7)
    occurred_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
