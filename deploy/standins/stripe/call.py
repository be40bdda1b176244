"""One call of the API as the endpoints see it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.standins.stripe.tables import Json

if TYPE_CHECKING:
    from deploy.standins.stripe.account import Account


@dataclass(frozen=True, slots=True)
class Origin:
    """The request that caused an event."""

    request_id: str
    idempotency_key: str | None


@dataclass(frozen=True, slots=True)
class Call:
    account: "Account"
    origin: Origin
    form: Json
    path: dict[str, str]
    base_url: str
    is_publishable: bool = False
