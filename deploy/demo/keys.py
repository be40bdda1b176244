"""Which Stripe the demo talks to: the stand-in, or Stripe itself in test mode when its keys are in the environment."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

STRIPE_ITSELF = "https://api.stripe.com"

NAMES = {
    "STRIPE_SECRET_KEY": ("sk_test_", "rk_test_"),
    "STRIPE_PUBLISHABLE_KEY": ("pk_test_",),
    "STRIPE_WEBHOOK_SECRET": ("whsec_",),
}


class UnusableKeys(Exception):
    """The keys in the environment can't be used for this; the message says why and what to do. No value is in it."""


@dataclass(frozen=True)
class StripeKeys:
    secret: str = field(repr=False)
    publishable: str
    webhook_secret: str = field(repr=False)
    url: str | None  # None: the stand-in's, which has no address yet

    @property
    def is_standin(self) -> bool:
        return self.url is None


def keys_from(environment: Mapping[str, str]) -> StripeKeys:
    """The keys given, or the stand-in's. Raises UnusableKeys for live keys and for an incomplete set."""
    given = {name: environment.get(name, "").strip() for name in NAMES}
    for name, value in given.items():
        if "_live_" in value[:16]:
            raise UnusableKeys(
                f"{name} is a live key, and the demo pays for things it does not want. "
                "Unset it, or give the test keys of the same account."
            )
    if not any(given.values()):
        return StripeKeys("sk_test_standin", "pk_test_standin", f"whsec_test_{secrets.token_hex(12)}", None)
    wrong = [name for name, prefixes in NAMES.items() if not given[name].startswith(prefixes)]
    if wrong:
        wanted = "; ".join(f"{name} begins with {' or '.join(NAMES[name])}" for name in wrong)
        raise UnusableKeys(
            f"To run against Stripe itself all three of {', '.join(NAMES)} are needed; "
            f"missing or of another kind: {', '.join(wrong)} ({wanted}). Unset all of them to use the stand-in."
        )
    secret, publishable, webhook_secret = given.values()
    return StripeKeys(secret, publishable, webhook_secret, environment.get("STRIPE_URL", STRIPE_ITSELF).rstrip("/"))
