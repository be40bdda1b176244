"""What fields of several bodies may hold."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from shared.money import EXPONENTS

# No control characters: PostgreSQL refuses NUL, and a newline has no place in a name or a mail header.
Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")
]
# Deliberately loose: the only real check of an address is a mail that arrives. What could end a header, start another
# address or need quoting is refused.
_LOCAL = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
Email = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=254, pattern=rf"^{_LOCAL}@{_LABEL}(\.{_LABEL})+$")
]
Currency = Annotated[str, StringConstraints(pattern=f"^({'|'.join(sorted(EXPONENTS))})$")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
ShippingMethod = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]


class Incoming(BaseModel):
    """A field we don't know is refused: a client that sends a price must learn that it counts for nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
