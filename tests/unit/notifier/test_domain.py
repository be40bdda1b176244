"""Which fact makes which letter, when it is tried, and what a server's reply means."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.notifier import domain
from services.notifier.domain import Kind, Letter, Outcome, Reason, Result, State
from shared.events import OrderPlaced
from shared.ids import uuid7
from tests.unit.notifier.letters import (
    NOON,
    a_letter,
    an_order,
    order_paid,
    order_refunded,
    order_shipped,
    payment_failed,
    settings,
)

TERMS = settings().terms()
DEFERRED = Outcome(Result.DEFERRED, Reason.SYSTEM, 452, "4.3.1", "4.3.1 Insufficient system storage")


@pytest.mark.parametrize(
    ("code", "text", "result", "reason", "enhanced"),
    [
        # the rows of the outcome map
        (451, "4.7.1 Greylisted, please try again in 300 seconds", "deferred", "policy", "4.7.1"),
        (550, "5.1.1 The mailbox does not exist", "refused", "address", "5.1.1"),
        (550, "5.7.1 Refused by policy", "refused", "policy", "5.7.1"),
        (452, "4.3.1 Insufficient system storage", "deferred", "system", "4.3.1"),
        (554, "5.6.0 The content cannot be accepted", "refused", "content", "5.6.0"),
        # by subject
        (550, "5.1.10 recipient has null MX", "refused", "address", "5.1.10"),
        (553, "5.1.8 sender's domain does not exist", "refused", "sender", "5.1.8"),
        (550, "5.2.1 mailbox disabled", "refused", "mailbox", "5.2.1"),
        (452, "4.2.2 mailbox full", "deferred", "mailbox", "4.2.2"),
        (552, "5.2.3 message too long for this mailbox", "refused", "content", "5.2.3"),
        (552, "5.3.4 message too big for system", "refused", "content", "5.3.4"),
        (451, "4.4.3 directory server failure", "deferred", "network", "4.4.3"),
        (500, "5.5.2 syntax error", "refused", "protocol", "5.5.2"),
        (550, "5.7.26 unauthenticated mail is not accepted", "refused", "policy", "5.7.26"),
        (550, "5.9.9 no such subject", "refused", "unspecified", "5.9.9"),
        # no enhanced code, or what only looks like one
        (550, "No such user here", "refused", "unspecified", None),
        (550, "host 5.1.1.7 is listed", "refused", "unspecified", None),
        (421, "too many connections", "deferred", "unspecified", None),
        # several lines, each with its code
        (550, "5.1.1 The account does not exist.\n5.1.1 Please check", "refused", "address", "5.1.1"),
        # the two codes disagree: temporary
        (550, "4.7.1 come back later", "deferred", "policy", "4.7.1"),
        (451, "5.7.1 rate limited", "deferred", "policy", "5.7.1"),
        # about us, not about the letter
        (535, "5.7.8 authentication credentials invalid", "deferred", "configuration", "5.7.8"),
        (530, "5.7.0 Must issue a STARTTLS command first", "deferred", "configuration", "5.7.0"),
        (454, "4.7.0 TLS not available due to temporary reason", "deferred", "configuration", "4.7.0"),
    ],
)
def test_a_reply_is_read_by_its_enhanced_code(code, text, result, reason, enhanced):
    found = domain.classify(code, text)
    assert (found.result, found.reason, found.code, found.enhanced_code) == (result, reason, code, enhanced)


@pytest.mark.parametrize(
    ("reply", "seconds"),
    [
        ("4.7.1 Greylisted, please try again in 300 seconds", 300),
        ("Greylisting in action, please come back in 00:05:00", None),
        ("retry after 5 minutes", 300),
        ("Please wait 2 hours", 7200),
        ("deferred, try again in 45s", 45),
        ("try again in 0 seconds", 1),
        ("try again in 99999 hours", 8 * 3600),
        ("4.3.1 Insufficient system storage", None),
        ("try again later", None),
        ("", None),
    ],
)
def test_a_hint_is_honoured_within_reason(reply, seconds):
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert domain.hinted_wait(reply) == expected


@pytest.mark.parametrize(
    ("attempts", "minutes"),
    [(1, 1), (2, 5), (3, 15), (4, 30), (5, 60), (6, 120), (7, 240), (8, 480), (9, 480), (50, 480)],
)
def test_the_schedule_grows_and_then_repeats_its_last_step(attempts, minutes):
    assert domain.next_attempt(attempts, "", TERMS, NOON, 0.0) - NOON == timedelta(minutes=minutes)


@pytest.mark.parametrize(("jitter", "seconds"), [(-1.0, 48), (0.0, 60), (1.0, 72)])
def test_the_schedule_is_jittered_by_a_fifth(jitter, seconds):
    assert domain.next_attempt(1, "", TERMS, NOON, jitter) - NOON == timedelta(seconds=seconds)


@pytest.mark.parametrize("jitter", [-1.0, 0.0, 1.0])
def test_jitter_never_makes_us_come_earlier_than_asked(jitter):
    due_at = domain.next_attempt(1, "try again in 300 seconds", TERMS, NOON, jitter)
    assert timedelta(seconds=300) <= due_at - NOON <= timedelta(seconds=360)


@pytest.mark.parametrize(("attempts", "minutes"), [(1, 5), (2, 5), (3, 15), (8, 480)])
def test_a_hint_makes_us_come_later_than_the_schedule_and_never_earlier(attempts, minutes):
    due_at = domain.next_attempt(attempts, "mailbox full, try again in 300 seconds", TERMS, NOON, 0.0)
    assert due_at - NOON == timedelta(minutes=minutes)


def test_a_letter_whose_server_always_says_in_a_second_is_tried_five_times_in_an_hour():
    tries, at = 1, NOON
    while (at := domain.next_attempt(tries, "try again in 1 second", TERMS, at, 0.0)) - NOON <= timedelta(hours=1):
        tries += 1
    assert tries == 5  # the monitor's rule of failing mails counts on it


CONFIRMATION = replace(a_letter(), state=State.SENDING, attempts=1)
FAILURE = replace(a_letter(payment_failed()), state=State.SENDING, attempts=1)
REFUND = replace(a_letter(order_refunded()), state=State.SENDING, attempts=1)
LOST = Outcome(Result.UNKNOWN, Reason.REPLY_LOST)
HELD = Outcome(Result.UNKNOWN, Reason.JOURNALLED)


@pytest.mark.parametrize(
    ("letter", "outcome", "state", "due_in_s"),
    [
        (CONFIRMATION, Outcome(Result.ACCEPTED, code=250), "accepted", None),
        (FAILURE, Outcome(Result.REFUSED, Reason.ADDRESS, 550), "refused", None),
        (CONFIRMATION, DEFERRED, "pending", 60),
        (replace(CONFIRMATION, attempts=4), DEFERRED, "pending", 1800),
        (replace(CONFIRMATION, expires_at=NOON + timedelta(seconds=60)), DEFERRED, "expired", None),
        (replace(CONFIRMATION, expires_at=NOON + timedelta(seconds=60), unknowns=1), DEFERRED, "unknown", None),
        (CONFIRMATION, LOST, "unknown", 900),
        (replace(CONFIRMATION, attempts=2, unknowns=1), LOST, "unknown", None),
        (replace(CONFIRMATION, attempts=2, unknowns=1), DEFERRED, "pending", 300),
        (FAILURE, LOST, "unknown", None),
        (a_letter(order_shipped()), LOST, "unknown", 900),
        (a_letter(order_refunded()), LOST, "unknown", None),
        (CONFIRMATION, HELD, "unknown", None),
    ],
)
def test_a_letter_moves_by_the_outcome_its_kind_and_its_past(letter, outcome, state, due_in_s):
    move = domain.move(letter, outcome, TERMS, NOON, 0.0)
    due_at = None if due_in_s is None else NOON + timedelta(seconds=due_in_s)
    assert (move.state, move.due_at) == (state, due_at)


@pytest.mark.parametrize(
    ("kind", "has_changed", "is_late", "fate"),
    [
        ("order_confirmation", True, False, "sending"),
        ("order_confirmation", True, True, "expired"),
        ("payment_failed", False, False, "sending"),
        ("payment_failed", True, False, "withdrawn"),
        ("payment_failed", True, True, "withdrawn"),
        ("payment_failed", False, True, "expired"),
        ("order_refunded", False, False, "sending"),
        ("order_refunded", True, False, "withdrawn"),
        ("order_confirmation that may have arrived", True, True, "unknown"),
    ],
)
def test_a_letter_goes_only_while_it_is_true_and_in_time(kind, has_changed, is_late, fate):
    letter = {"payment_failed": FAILURE, "order_refunded": REFUND}.get(kind, CONFIRMATION)
    letter = replace(letter, unknowns=1) if "may have arrived" in kind else letter
    now = letter.expires_at if is_late else NOON
    untrue = domain.untrue(letter, is_paid=has_changed, refund_failed=has_changed)
    assert domain.fate(letter, untrue, now) == fate


def test_a_letter_is_made_untrue_only_by_what_it_is_about():
    assert domain.untrue(FAILURE, is_paid=False, refund_failed=True) is None
    assert domain.untrue(REFUND, is_paid=True, refund_failed=False) is None
    assert domain.untrue(FAILURE, is_paid=True, refund_failed=True) is Reason.PAID
    assert domain.untrue(REFUND, is_paid=True, refund_failed=True) is Reason.REFUND_FAILED


def test_kinds_expire_after_their_own_time():
    assert CONFIRMATION.expires_at - NOON == timedelta(hours=72)
    assert FAILURE.expires_at - NOON == timedelta(hours=24)
    assert (CONFIRMATION.due_at, FAILURE.due_at) == (NOON, NOON + timedelta(seconds=120))


def message_id(event) -> str:
    letter: Letter = domain.compose(event, uuid7(), TERMS, NOON, None)
    return letter.message_id


def test_a_fact_has_one_message_id_whatever_event_tells_it():
    order, failure_id = an_order(), str(uuid7())
    assert message_id(order_paid(order)) == message_id(order_paid(order))
    failures = [payment_failed(order, failure_id=failure_id) for _ in range(2)]
    assert message_id(failures[0]) == message_id(failures[1])
    assert message_id(order_paid(order)).startswith(f"<order_confirmation.{order.order_id.hex}.paid.")
    assert message_id(order_paid(order)).endswith("@shop.example>")


def test_other_facts_orders_and_recipients_have_other_message_ids():
    order = an_order()
    other = order.model_copy(update={"email": "bob@example.com"})
    told = [order_paid(order), order_paid(an_order()), order_paid(other), payment_failed(order), payment_failed(order)]
    assert len({message_id(event) for event in told}) == len(told)


def test_the_recipients_letter_case_makes_no_other_person():
    order = an_order(email="Ada@Example.com")
    assert message_id(order_paid(order)) == message_id(
        order_paid(order.model_copy(update={"email": "ada@example.com"}))
    )


@pytest.mark.parametrize("failure_id", ["x>\r\nBcc: eve@example.com", "a b", "é", "y" * 200])
def test_a_strange_failure_id_can_not_get_into_the_message_id(failure_id):
    found = message_id(payment_failed(failure_id=failure_id))
    assert found.isascii()
    assert len(found) < 200
    assert not set(found) & set(" \r\n")
    assert "eve" not in found


def test_no_letter_is_written_about_an_order_that_is_merely_placed():
    with pytest.raises(domain.NoSuchLetter):
        domain.compose(OrderPlaced(order=an_order()), uuid7(), TERMS, NOON, None)


def test_a_withdrawn_letter_says_why():
    letter = domain.withdrawn(FAILURE, Reason.PAID)
    assert (letter.state, letter.due_at, letter.reason) == (State.WITHDRAWN, None, Reason.PAID)


@pytest.mark.parametrize(
    ("reply", "kept"),
    [
        ("<ada@example.com>: Recipient address rejected", "<[address]>: Recipient address rejected"),
        ("550 user=ada@example.com\r\nunknown", "550 [address] unknown"),
        ("x" * 9000, "x" * 500),
        ("\x00\x1b[31mred\u2028", "[31mred"),
    ],
)
def test_a_reply_is_kept_without_addresses_on_one_short_line(reply, kept):
    assert domain.without_addresses(reply) == kept


def test_every_kind_has_its_terms():
    assert set(TERMS.expiry) == set(Kind)
