"""What may be Stripe's by its headers alone."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stripe import SignatureVerificationError, WebhookSignature

from services.webhooks.domain import may_be_signed
from tests.stripe_events import OTHER_SECRET, SECRET, signature

NOW = 1_790_000_000
HEX = "a" * 64


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([f"t={NOW},v1={HEX}"], True),
        ([f"v1={HEX},t={NOW}"], True),
        ([f"t={NOW},v1={HEX},v1={HEX},v0=x"], True),
        ([f"t={NOW - 300},v1={HEX}"], True),
        ([f"t={NOW + 300},v1={HEX}"], True),
        ([f"t={NOW - 301},v1={HEX}"], False),
        ([f"t={NOW + 301},v1={HEX}"], False),
        ([], False),
        ([""], False),
        (["nonsense"], False),
        ([f"t={NOW},v0={HEX}"], False),
        ([f"t={NOW},v1={HEX[1:]}"], False),
        ([f"t={NOW},v1={HEX}a"], False),
        ([f"t={NOW},v1={HEX.upper()}"], False),
        ([f"t={NOW},t={NOW},v1={HEX}"], False),
        ([f"t={NOW},v1={HEX}"] * 2, False),
        ([f"t={NOW},v1={HEX}," + "v1=" + "b" * 2048], False),
    ],
)
def test_one_header_with_one_fresh_time_and_a_signature(headers, expected):
    assert may_be_signed(headers, 300, NOW) is expected


BODIES = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1).map(str.encode)


@given(body=BODIES, offset=st.integers(-299, 299), rolled=st.booleans())
def test_whatever_stripe_signs_passes(body, offset, rolled):
    now = time.time()
    header = signature(body, *((OTHER_SECRET, SECRET) if rolled else (SECRET,)), at=now + offset)
    assert may_be_signed([header], 300, now)


PARTS = st.lists(st.sampled_from(["t", "v1", "v0", "x"]).flatmap(
    lambda name: st.sampled_from([HEX, str(NOW), "", "-1", "1e9", "٣"]).map(lambda value: f"{name}={value}")
), max_size=5)  # fmt: skip


@given(parts=PARTS, at=st.integers(0, 5))
def test_what_is_screened_out_stripes_own_package_would_not_take_either(parts, at):
    """Anything may stand around a genuine signature. Two times in one header are refused by both of our own checks."""
    genuine = WebhookSignature.generate_signature_header("{}", SECRET, int(time.time())).split(",")
    header = ",".join([*parts[:at], *genuine, *parts[at:]])
    if may_be_signed([header], 300, time.time()) or sum(part.startswith("t=") for part in header.split(",")) > 1:
        return
    try:
        accepted = WebhookSignature.verify_header("{}", header, SECRET, 300)
    except (SignatureVerificationError, ValueError):
        accepted = False
    assert not accepted
