"""Orders under everything at once. `make stateful` runs the same machine for longer, and shortens what it finds."""

from collections.abc import Iterator

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.machine import Orders
from tests.stateful.truths import check_worth
from tests.stateful.world import World, a_world

EXAMPLES = 15
STEPS = 30


@pytest.fixture
def world(clean) -> Iterator[World]:
    with a_world(clean) as opened:
        yield opened


@pytest.mark.timeout(600)
def test_orders_survive_shoppers_webhooks_jobs_and_crashes_between_any_two_transactions(world: World) -> None:
    """The same runs each time, so that it fails for a change and not by chance."""
    bounded = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        print_blob=True,
    )
    Orders.counts.clear()
    run_state_machine_as_test(lambda: Orders(world), settings=bounded)
    check_worth(Orders.counts, EXAMPLES)
