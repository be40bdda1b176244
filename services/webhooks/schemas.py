"""HTTP bodies and parameters of webhooks, as they are documented. Stripe's own are read by `domain`, as it likes."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.webhooks.domain.fields import NAME

LONGEST_CODE = 200

Name = Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$")]
EventId = Annotated[Name, Field(description="Stripe's id of the event", examples=["evt_1S2QkzLkdIwHu7ix"])]
ObjectId = Annotated[Name, Field(description="Stripe's id of what it is about", examples=["pi_3S2QkzLkdIwHu7ix"])]
OrderId = Annotated[Name, Field(description="The order's id", examples=["019ac4a3-6f3b-7c52-9d0e-3b1f4a5c6d7e"])]
EventType = Annotated[Name, Field(examples=["payment_intent.succeeded"])]
State = Literal["received", "published", "ignored", "failed"]
Moment = Annotated[datetime, Field(description="In UTC unless it says otherwise", examples=["2026-11-27T08:00:00Z"])]
Cursor = Annotated[str, Field(description="Where the page before ended; a page's link to older events holds it")]
FileName = Annotated[str, Field(description="Of the style sheet or the icon", examples=["staff.css"])]


class EventIn(BaseModel):
    """What has to be there of one of Stripe's events. All of it is stored, as it came, whatever its type."""

    model_config = ConfigDict(extra="allow")

    id: EventId
    type: EventType
    data: dict[str, Any] | None = Field(default=None, description="`object` is what the event is about")


class Received(BaseModel):
    """The event is stored."""

    received: Literal[True] = True


class EnterForm(BaseModel):
    code: str = Field(min_length=1, max_length=LONGEST_CODE, description="A sign-in code, good for one session")


class Form(BaseModel):
    csrf: str | None = Field(default=None, description="From our own page; only a session in a cookie needs it")


class ResyncForm(Form):
    reason: str = Field(min_length=1, description="For the audit trail")
