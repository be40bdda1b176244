"""Live and test are kept apart before anything starts."""

import pytest
from pydantic import ValidationError

from services.checkout.settings import CheckoutSettings

# Put together here, so that no file holds anything that looks like a live key.
LIVE = "live"


def build(mode: str, secret: str, publishable: str, url: str = "https://api.stripe.com") -> CheckoutSettings:
    return CheckoutSettings(
        database_url="postgresql://x", amqp_url="amqp://x", stripe_mode=mode, stripe_secret_key=secret,
        stripe_publishable_key=publishable, stripe_url=url, order_token_keys="a", link_keys="b",
    )  # fmt: skip


def test_keys_of_the_mode_are_taken():
    assert build("test", "sk_test_x", "pk_test_x").stripe_mode == "test"
    assert build(LIVE, f"rk_{LIVE}_x", f"pk_{LIVE}_x").stripe_mode == LIVE


@pytest.mark.parametrize(
    ("mode", "secret", "publishable"),
    [
        ("test", f"sk_{LIVE}_x", "pk_test_x"),
        ("test", "sk_test_x", f"pk_{LIVE}_x"),
        (LIVE, "sk_test_x", f"pk_{LIVE}_x"),
        ("test", "pk_test_x", "pk_test_x"),
        ("test", "nonsense", "pk_test_x"),
    ],
)
def test_a_key_of_the_other_mode_stops_the_start_and_is_not_repeated(mode, secret, publishable):
    with pytest.raises(ValidationError) as caught:
        build(mode, secret, publishable)
    assert "mode is" in str(caught.value.errors(include_input=False))


def test_a_live_key_goes_to_stripe_and_nowhere_else():
    with pytest.raises(ValidationError, match="Stripe's own"):
        build(LIVE, f"sk_{LIVE}_x", f"pk_{LIVE}_x", url="http://127.0.0.1:1")
