"""Who may call a route: declared on the handler, checked by `shared.web`; without a declaration, denied."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

from shared.staff import Right

_ATTRIBUTE = "__kct_permission__"
_RIGHT = "__kct_right__"

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])


class Permission(StrEnum):
    PUBLIC = "public"  # anybody
    ORDER_TOKEN = "order_token"  # noqa: S105  # holder of the order's token; the handler verifies it
    CUSTOMER = "customer"  # a shopper whom the shop has signed in; the handler verifies its token
    STRIPE_SIGNATURE = "stripe_signature"  # Stripe; the handler verifies the signature on the raw body
    INTERNAL = "internal"  # client address in settings.internal_networks
    STAFF = "staff"  # a signed-in member of staff


def permit(permission: Permission, right: Right | None = None) -> Callable[[Handler], Handler]:
    """Declare who may call the handler; of the staff, those who have the right."""

    def declare(handler: Handler) -> Handler:
        setattr(handler, _ATTRIBUTE, permission)
        setattr(handler, _RIGHT, right)
        return handler

    return declare


def permission_of(handler: object) -> Permission | None:
    """What the handler declares; None means that nobody may call it."""
    while isinstance(handler, partial):
        handler = handler.func
    declared = getattr(handler, _ATTRIBUTE, None)
    return declared if isinstance(declared, Permission) else None


def right_of(handler: object) -> Right | None:
    """What a member of staff needs for it; None: to be signed in is enough."""
    while isinstance(handler, partial):
        handler = handler.func
    declared = getattr(handler, _RIGHT, None)
    return declared if isinstance(declared, Right) else None
