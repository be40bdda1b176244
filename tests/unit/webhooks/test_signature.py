"""Whether a request is believed to be Stripe's, held against signatures that Stripe's own package made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stripe import SignatureVerificationError, WebhookSignature

from services.webhooks import domain
from tests.stripe_events import OTHER_SECRET, SECRET, an_event, body_of, signature

BODY = body_of(an_event())
TOLERANCE_S = 300


def verify(body: bytes, *headers: str, secrets: tuple[str, ...] = (SECRET,), now: float = 0) -> int:
    """At the time of signing, unless told otherwise: `signature` signs with the real clock."""
    import time

    return domain.verify(body, headers, secrets, TOLERANCE_S, time.time() + now)


def test_a_signed_body_is_believed_and_its_time_is_answered():
    header = signature(BODY)
    assert f"t={verify(BODY, header)}," in header


@pytest.mark.parametrize("secrets", [(SECRET, OTHER_SECRET), (OTHER_SECRET, SECRET)])
def test_any_of_several_secrets_will_do(secrets):
    assert verify(BODY, signature(BODY), secrets=secrets)


def test_one_of_two_signatures_will_do():
    assert verify(BODY, signature(BODY, OTHER_SECRET, SECRET))
    assert verify(BODY, signature(BODY, SECRET, OTHER_SECRET))


def test_a_scheme_of_tomorrow_beside_the_signature_is_overlooked():
    assert verify(BODY, f"{signature(BODY)},v0=00,v2=something+else/entirely==")


def test_every_changed_byte_is_noticed():
    header = signature(BODY)
    for place in range(0, len(BODY), 7):
        changed = bytearray(BODY)
        changed[place] ^= 1
        with pytest.raises(domain.SignatureMismatch):
            verify(bytes(changed), header)


def test_a_signature_of_another_secret_is_refused():
    with pytest.raises(domain.SignatureMismatch):
        verify(BODY, signature(BODY, OTHER_SECRET))


def test_the_old_scheme_alone_is_refused():
    with pytest.raises(domain.SignatureMismatch):
        verify(BODY, signature(BODY).replace("v1=", "v0="))


@pytest.mark.parametrize(
    ("seconds_later", "refusal"),
    [(0, None), (298, None), (302, domain.TimestampTooOld), (-298, None), (-302, domain.TimestampInFuture)],
)
def test_the_time_may_be_off_by_the_tolerance_in_both_directions(seconds_later, refusal):
    import time

    header = signature(BODY, at=time.time() - seconds_later)
    if refusal is None:
        assert verify(BODY, header)
    else:
        with pytest.raises(refusal):
            verify(BODY, header)


def test_the_time_can_not_be_changed_without_the_signature():
    header = signature(BODY)
    signed_at = int(header[2:].split(",")[0])
    with pytest.raises(domain.SignatureMismatch):
        verify(BODY, header.replace(str(signed_at), str(signed_at + 1)))


@pytest.mark.parametrize(
    "header",
    [
        "t=,v1=aa",
        "v1=" + "a" * 64,
        "t=1,t=2,v1=aa",
        "t=1,t=,v1=aa",
        "t=-5,v1=aa",
        "t=1e9,v1=aa",
        "t=" + "9" * 40 + ",v1=aa",
        "t=١٢,v1=aa",
        "t=1, v1=aa",
        "t=1;v1=aa",
        "t",
        "=",
        ",",
        ",,,,",
        "v1",
        "t=1,v1=é",
        "t=1,v1=\udcff",
        "t=1,v1=\x00",
        "t=1," + "v1=aa," * 40 + "v1=aa",
        "t=1,v1=" + "a" * 5000,
    ],
)
def test_a_header_that_is_not_of_the_form_is_malformed(header):
    with pytest.raises(domain.SignatureMalformed):
        verify(BODY, header)


@pytest.mark.parametrize(
    ("body", "headers", "refusal"),
    [
        (BODY, (), domain.SignatureMissing),
        (BODY, ("",), domain.SignatureMissing),
        (BODY, ("t=1,v1=aa", "t=1,v1=aa"), domain.SignatureDuplicated),
        (b"", ("t=1,v1=aa",), domain.BodyEmpty),
        (b"\xff\xfe{}", ("t=1,v1=aa",), domain.BodyNotText),
    ],
)
def test_what_is_missing_or_unreadable_has_its_own_code(body, headers, refusal):
    with pytest.raises(refusal):
        verify(body, *headers)


def test_two_headers_are_refused_even_if_one_is_right():
    with pytest.raises(domain.SignatureDuplicated):
        verify(BODY, signature(BODY), "t=1,v1=aa")


_PIECES = st.sampled_from(["t", "v1", "v0", "=", ",", "é", " ", "\x00", "1", "0" * 64, "1700000000"])


@given(body=st.binary(max_size=60), header=st.lists(_PIECES, max_size=12).map("".join))
def test_whatever_comes_is_refused_and_never_breaks_the_check(body, header):
    with pytest.raises(domain.Refused):
        verify(body, header)


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200), edit=st.booleans())
def test_we_believe_nothing_that_stripes_own_check_does_not(text, edit):
    body = text.encode()
    header = signature(body)
    if edit:
        header = header.replace("v1=", "v1=0")
    try:
        WebhookSignature.verify_header(body, header, SECRET, TOLERANCE_S)
        expected = True
    except SignatureVerificationError:
        expected = False
    try:
        ours = bool(verify(body, header))
    except domain.Refused:
        ours = False
    assert ours is expected
