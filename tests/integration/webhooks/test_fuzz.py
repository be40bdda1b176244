"""A few seconds of the fuzzer; `make fuzz SECONDS=600` takes longer."""

from random import Random

from tests.fuzz.fire import fuzz
from tests.fuzz.mutations import hostile
from tests.fuzz.target import running


async def test_whatever_is_sent_the_service_answers_in_order_and_stays_well(clean, amqp_url, capsys):
    environment = {
        "WEBHOOKS_DATABASE_URL": clean.url("webhooks"),
        "WEBHOOKS_AMQP_URL": amqp_url,
        "WEBHOOKS_ROLE_PREFIX": clean.prefix,
    }
    async with running(environment, clean.auditor_url) as target:
        outcome = await fuzz(target, seed=20261125, seconds=5.0, report=print)
    assert outcome.faults == []
    assert outcome.sent > 100
    assert {"200", "400"} <= set(outcome.answers), outcome.says()


def test_a_request_of_a_seed_can_be_made_again():
    def shape(number: int) -> int:
        return hostile(Random(f"7/{number}"))[0].count(b"\r\n")

    assert [shape(n) for n in range(200)] == [shape(n) for n in range(200)]
