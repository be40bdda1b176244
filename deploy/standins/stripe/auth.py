"""Who calls: a secret or restricted test key, or a publishable one. Live keys are turned away."""

import base64
import binascii
import re

from deploy.standins.stripe import errors

_TEST_KEY = re.compile(r"^(sk|rk|pk)_test_[A-Za-z0-9_]+$")
_LIVE_KEY = re.compile(r"^(sk|rk|pk)_live_")


def key_kind(header: str | None, query_key: str | None = None) -> str:
    """`sk`, `rk` or `pk`. A browser that only has a publishable key may also give it as `key`."""
    key = _key(header) if header else query_key
    if not key:
        raise errors.unauthorized("You did not provide an API key, as a Bearer token or as the user of Basic auth.")
    if _LIVE_KEY.match(key):
        message = "This is a stand-in for Stripe and refuses live keys. Use a test key here."
        raise errors.unauthorized(message, code="stand_in_refuses_live_keys")
    match = _TEST_KEY.match(key)
    if match is None:
        raise errors.unauthorized("Invalid API Key provided.", code="api_key_invalid")
    return match[1]


def _key(header: str) -> str | None:
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return None


def secret_key_required() -> errors.Refusal:
    #
    return errors.unauthorized(
        "This API call cannot be made with a publishable API key. Use a secret API key.",
        code="secret_key_required",
    )
