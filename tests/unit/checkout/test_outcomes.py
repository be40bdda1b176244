"""What an answer of Stripe's may say of the attempt that it answers."""

import pytest
import stripe

from services.checkout.stripe_api import OutcomeUnknown, StoredError, StripeBusy, StripeDenied, StripeRefused
from services.checkout.stripe_api.outcomes import searched, translated

NOT_TRIED = [
    (stripe.AuthenticationError("no such key", http_status=401), StripeDenied),
    (stripe.PermissionError("this key may not", http_status=403), StripeDenied),
    (stripe.RateLimitError("slower", http_status=429), StripeBusy),
]
OPEN = [
    (stripe.APIConnectionError("no answer"), OutcomeUnknown),
    (stripe.APIError("another call with this key runs", http_status=409), OutcomeUnknown),
    (stripe.APIError("down", http_status=500), OutcomeUnknown),
    (stripe.APIError("down", http_status=500, headers={"Idempotent-Replayed": "true"}), StoredError),
    (stripe.IdempotencyError("the key was used for another request", http_status=400), StoredError),
]


@pytest.mark.parametrize(("raised", "told"), NOT_TRIED + OPEN, ids=lambda each: getattr(each, "__name__", ""))
def test_what_is_no_answer_of_the_endpoint_ends_no_attempt(raised, told):
    with pytest.raises(told) as caught, translated():
        raise raised
    assert type(caught.value) is told
    assert not isinstance(caught.value, StripeRefused)


def test_a_refusal_ends_one_and_a_refused_search_says_nothing():
    refusal = stripe.InvalidRequestError("no such payment_intent", "id", code="resource_missing", http_status=404)
    with pytest.raises(StripeRefused) as caught, translated():
        raise refusal
    assert caught.value.is_missing
    with pytest.raises(OutcomeUnknown), searched():
        raise refusal
