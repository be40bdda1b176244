"""Permissions in OpenAPI's words: security schemes, and what a group of operations is called."""

from collections.abc import Mapping

from shared.permissions import Permission, right_of

SCHEMES: Mapping[str, Mapping[str, str]] = {
    "orderToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "The `order_token` of the order that was placed, or the token of a link in one of its mails. "
        "Under the shop's own address the cookie that came with the order does as well.",
    },
    "orderLink": {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "The same, as links in mails hold it",
    },
    "shopperToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A short-lived token by which the shop says who is signed in (`docs/signed-in-shoppers.md`).",
    },
    "stripeSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "Stripe-Signature",
        "description": "`t=…,v1=…`: Stripe's signature over the time and the raw body",
    },
    "staffSession": {"type": "http", "scheme": "bearer", "description": "The token of a session of staff"},
    "staffCookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "kct_staff",
        "description": "The same in a browser (`__Host-kct_staff` over TLS). "
        "What changes something is then a form of our own pages, from our own origin and with its token.",
    },
}

_ALTERNATIVES: Mapping[Permission, tuple[str, ...]] = {
    Permission.ORDER_TOKEN: ("orderToken", "orderLink"),
    Permission.CUSTOMER: ("shopperToken",),
    Permission.STRIPE_SIGNATURE: ("stripeSignature",),
    Permission.STAFF: ("staffSession", "staffCookie"),
}

TAGS: Mapping[Permission, tuple[str, str]] = {
    Permission.PUBLIC: ("Open to everybody", "No credentials."),
    Permission.ORDER_TOKEN: ("For an order's customer", "Whoever holds the order's token."),
    Permission.CUSTOMER: ("For signed-in shoppers", "With the shop's token for them."),
    Permission.STRIPE_SIGNATURE: ("For Stripe", "Whatever Stripe has signed."),
    Permission.INTERNAL: ("For our own network", "Open to the addresses of the setting `INTERNAL_NETWORKS`."),
    Permission.STAFF: ("For staff", "With a session; some of it takes a right."),
}


def requirement(permission: Permission, handler: object) -> list[dict[str, list[str]]]:
    """What opens it, one of them; the right that staff needs stands beside the scheme."""
    right = right_of(handler) if permission is Permission.STAFF else None
    return [{scheme: [right.value] if right else []} for scheme in _ALTERNATIVES.get(permission, ())]
