"""Who may call a route: declared on the handler, checked by `shared.web`; without a declaration, denied."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

_ATTRIBUTE = "__kct_permission__"

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])


class Permission(StrEnum):
    PUBLIC = "public"  # anybody
    ORDER_TOKEN = "order_token"  # noqa: S105  # holder of the order's token; the handler verifies it
    STRIPE_SIGNATURE = "stripe_signature"  # Stripe; the handler verifies the signature on the raw body
    INTERNAL = "internal"  # client address in settings.internal_networks
    STAFF = "staff"  # a signed-in member of staff


def permit(permission: Permission) -> Callable[[Handler], Handler]:
    """Declare who may call the handler."""

    def declare(handler: Handler) -> Handler:
        setattr(handler, _ATTRIBUTE, permission)
        return handler

    return declare


def permission_of(handler: object) -> Permission | None:
    """What the handler declares; None means that nobody may call it."""
    while isinstance(handler, partial):
        handler = handler.func
    declared = getattr(handler, _ATTRIBUTE, None)
    return declared if isinstance(declared, Permission) else None
