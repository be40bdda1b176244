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
Blank = Literal[""]  # a field of a form that was left empty
Cursor = Annotated[
    str,
    StringConstraints(pattern=f"^[^~]+~{NAME.pattern}$"),
    Field(
        description="Where the page before ended; a page's link to older events holds it",
        examples=["2026-11-27T08:00:00+00:00~evt_1S2QkzLkdIwHu7ix"],
    ),
]
FileName = Annotated[str, Field(description="Of the style sheet or the icon", examples=["staff.css"])]


class EventIn(BaseModel):
    """What has to be there of one of Stripe's events. All of it is stored, as it came, whatever its type."""

    model_config = ConfigDict(extra="allow")

    id: EventId
    type: EventType
    data: Any = Field(default=None, description="Its `object` is what the event is about")


class Received(BaseModel):
    """The event is stored."""

    received: Literal[True] = True


class Fields(BaseModel):
    """A form: texts, each under a name of its own."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str]


class EnterForm(Fields):
    code: str = Field(min_length=1, max_length=LONGEST_CODE, description="A sign-in code, good for one session")


# Something that is left when blanks are taken off both ends.
NotBlank = Annotated[str, StringConstraints(min_length=1, pattern=r"[^\s\x1c-\x1f\x85]")]


class Form(Fields):
    csrf: str | None = Field(default=None, description="From our own page; only a session in a cookie needs it")


class ResyncForm(Form):
    reason: NotBlank = Field(description="For the audit trail", examples=["the order still says awaiting"])
