"""The parts of the stand-in that need no server: keys, pages, cards, rules, assumptions."""

import re
from pathlib import Path
from typing import Any

import pytest
import stripe

from deploy.standins.stripe import cards
from deploy.standins.stripe.assumptions import ASSUMPTIONS
from deploy.standins.stripe.config import FAST_RETRY_STEPS_S
from deploy.standins.stripe.delivery import signature
from deploy.standins.stripe.errors import Refusal
from deploy.standins.stripe.faults import Fault, Faults
from deploy.standins.stripe.idempotency import Answer, Keys
from deploy.standins.stripe.rules import Rules, Weather
from deploy.standins.stripe.tables import Table

SOURCES = Path(__file__).parents[3] / "deploy" / "standins" / "stripe"


def a_table(count: int) -> Table:
    table = Table("thing", "id")
    for number in range(count):
        table.add({"id": f"t{number}", "created": 1000 + number})
    return table


def ids(page: dict[str, Any]) -> list[str]:
    return [row["id"] for row in page["data"]]


def test_every_assumption_is_used_and_every_one_used_is_listed() -> None:
    sources = [path.read_text() for path in SOURCES.glob("*.py") if path.name != "assumptions.py"]
    used = {found for source in sources for found in re.findall(r"A-\d\d", source)}
    assert used <= set(ASSUMPTIONS)
    wide = {"A-04", "A-11"}  # these are about the whole, not about one line
    assert set(ASSUMPTIONS) - used <= wide


def test_every_test_card_is_a_possible_number_with_its_own_names() -> None:
    assert all(cards.passes_luhn(card.number) for card in cards.CARDS)
    names = [name for card in cards.CARDS for name in card.names]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("method", "last4"),
    [
        ("pm_card_visa", "4242"),
        ("pm_card_chargeDeclined", "0002"),
        ("pm_card_visa_chargeDeclined", "0002"),
        ("pm_card_visa_debit", "5556"),
        ("pm_card_radarBlock", "0019"),
    ],
)
def test_a_card_has_two_spellings(method: str, last4: str) -> None:
    card = cards.named(method)
    assert card is not None
    assert card.last4 == last4


def test_unknown_names_are_no_cards() -> None:
    assert cards.named("pm_card_nonsense") is None
    assert cards.named("pm_1") is None


def test_pages_go_newest_first_and_say_when_there_is_more() -> None:
    table = a_table(5)
    assert ids(table.page("/", {"limit": 2})) == ["t4", "t3"]
    assert table.page("/", {"limit": 2})["has_more"] is True
    assert table.page("/", {"limit": 5})["has_more"] is False
    assert ids(table.page("/", {"limit": 2, "starting_after": "t3"})) == ["t2", "t1"]
    assert ids(table.page("/", {"limit": 2, "ending_before": "t1"})) == ["t3", "t2"]
    assert ids(table.page("/", {"created": {"gte": 1001, "lt": 1003}})) == ["t2", "t1"]
    with pytest.raises(Refusal):
        table.page("/", {"starting_after": "gone"})


def test_a_key_in_use_is_refused_until_it_is_kept_or_released() -> None:
    keys = Keys()
    assert keys.claim("k", "f") is None
    with pytest.raises(Refusal) as caught:
        keys.claim("k", "f")
    assert caught.value.status == 409
    keys.release("k")
    assert keys.claim("k", "g") is None
    keys.keep("k", Answer(200, b"{}", request_id="req_1"))
    repeated = keys.claim("k", "g")
    assert repeated is not None
    assert repeated.headers == {"Idempotent-Replayed": "true", "Original-Request": "req_1"}


def test_the_signature_is_the_one_that_the_official_package_makes() -> None:
    body, secret, moment = '{"name":"Zoë"}', "whsec_test_standin", 1_790_000_000
    official = stripe.WebhookSignature.generate_signature_header(body, secret, moment)
    assert signature(body.encode(), (secret,), moment) == official


def test_the_same_seed_gives_the_same_weather() -> None:
    rules = Rules(shuffle_window_s=5, lose_probability=0.3, duplicate_probability=0.5, seed=11)

    def forecast() -> list[object]:
        weather = Weather(rules)
        return [(weather.pause_s(), weather.loses_event(), weather.extra_copies()) for _ in range(50)]

    assert forecast() == forecast()


def test_a_fault_waits_for_its_turn_and_wears_out() -> None:
    faults = Faults(seed=1)
    faults.add(Fault("latency", delay_s=0.5, times=None))
    faults.add(Fault("cut_after", method="POST", path="/v1/payment_intents/*/confirm", nth=2))
    path = "/v1/payment_intents/pi_1/confirm"
    assert faults.strike("GET", path) == (0.5, None)
    hits = [faults.strike("POST", path)[1] for _ in range(3)]
    assert [hit.kind if hit else None for hit in hits] == [None, "cut_after", None]


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(ValueError, match="kind is one of"):
        Fault("explode")


def test_the_default_schedule_lasts_about_ten_minutes() -> None:
    assert 540 <= sum(FAST_RETRY_STEPS_S) <= 660
