"""What fields of several bodies may hold."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.money import EXPONENTS

# No control characters: PostgreSQL refuses NUL, and a newline has no place in a name or a mail header.
Text = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x1f\x7f\x85\s][^\x00-\x1f\x7f]*$",
    ),
]
# Deliberately loose: the only real check of an address is a mail that arrives. What could end a header, start another
# address or need quoting is refused.
_LOCAL = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=254, pattern=rf"^{_LOCAL}@{_LABEL}(\.{_LABEL})+$"),
    Field(examples=["ada@example.com"]),
]
Currency = Annotated[str, StringConstraints(pattern=f"^({'|'.join(sorted(EXPONENTS))})$"), Field(examples=["usd"])]
ConfirmationToken = Annotated[str, StringConstraints(pattern=r"^ctoken_[A-Za-z0-9]{1,200}$")]
PaymentMethodId = Annotated[
    str, StringConstraints(pattern=r"^pm_[A-Za-z0-9]{1,200}$"), Field(examples=["pm_1Sx2Fa4k9LmNoPqR"])
]
# With a path, or nothing behind the host; no user name, backslash or blank in which another host could hide.
PageUrl = Annotated[
    str, StringConstraints(max_length=2000, pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?(/[!-\[\]-~]*)?$")
]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$"), Field(examples=["GB"])]
ShippingMethod = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$"), Field(examples=["standard"])]
Sku = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9-]{1,40}$"), Field(examples=["SILK-TIE-NAVY-ONE"])]

OrderId = Annotated[UUID, Field(description="The order's id", examples=["019ac4a3-6f3b-7c52-9d0e-3b1f4a5c6d7e"])]
RefundId = Annotated[
    UUID,
    Field(description="A new UUID of yours for a new refund", examples=["019ac4a3-7a10-7d44-8e21-5c2d6e7f8a9b"]),
]
ParcelId = Annotated[
    UUID,
    Field(description="A new UUID of yours for a new parcel", examples=["019ac4a3-7c21-7e55-8f32-6d3e7f8a9bac"]),
]
IdempotencyKey = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=255, pattern=r"^[\x20-\x7e]*$"),
    Field(
        description="A new UUID for a new order, the same one when repeating",
        examples=["b6a3c1f2-4c0d-4d55-9b0a-1f7c8a2e9d31"],
    ),
]
EventId = Annotated[
    str, Field(description="The `id` of the last event that came: the same version isn't sent again", examples=["815"])
]


class Incoming(BaseModel):
    """A field we don't know is refused: a client that sends a price must learn that it counts for nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
