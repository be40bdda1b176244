from collections import Counter

import pytest

from tests.chaos.shoppers import Memory, surprises


def a_shopper(outcome: str, wish: str = "pay") -> Memory:
    return Memory(wish, "ada@example.com", "a-key", outcome=outcome)


WELL = [
    *(a_shopper("paid") for _ in range(9)),
    a_shopper("gave up: no answer"),
    *(a_shopper("out_of_stock") for _ in range(20)),
    a_shopper("declined", "declined"),
    a_shopper("left", "abandon"),
    a_shopper("payment_intent_unexpected_state", "pay_at_the_last_moment"),
]


def test_what_breaks_for_a_while_surprises_nobody():
    answers = ["201", "503 unavailable", "409 in_progress", "409 out_of_stock", "no answer: ClientOSError"]
    assert not surprises(WELL, Counter(answers))


@pytest.mark.parametrize(
    "answer", ["404 not_found", "409 idempotency_key_reused", "422 invalid_request", "500 internal"]
)
def test_a_wrong_answer_is_a_finding_however_many_bought(answer):
    assert surprises(WELL, Counter({"201": 900, answer: 2})) == {f"answered {answer}": 2}


@pytest.mark.parametrize("outcome", ["under way", "failed: KeyError('order')", "card_declined", "not_found"])
def test_a_shopper_who_ends_in_another_way_is_a_finding(outcome):
    assert surprises([*WELL, a_shopper(outcome)], {}) == {f"a shopper ended as: {outcome}": 1}


def test_a_shop_that_serves_hardly_anybody_is_not_well():
    away = [a_shopper("gave up: no answer") for _ in range(20)]
    assert surprises([*WELL, *away], {"503 unavailable": 900}) == {"only 30% of those who meant to pay could": 1}
