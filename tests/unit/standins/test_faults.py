"""Faults strike those they are meant for, as often as ordered."""

import pytest

from deploy.standins.faults import Faults

KINDS = {"greylist": "later", "policy": "never"}


@pytest.fixture
def faults() -> Faults:
    return Faults(KINDS)


def test_a_fault_is_used_up(faults: Faults) -> None:
    faults.order("greylist", times=2)

    assert [faults.take(["greylist"], ["a@b.example"]) is not None for _ in range(3)] == [True, True, False]
    assert faults.ordered[0].struck == 2


def test_a_fault_without_a_number_strikes_until_it_is_cleared(faults: Faults) -> None:
    faults.order("greylist", times=None)
    assert all(faults.take(["greylist"], ["a@b.example"]) for _ in range(5))

    faults.clear()
    assert faults.take(["greylist"], ["a@b.example"]) is None


@pytest.mark.parametrize(
    ("pattern", "recipient", "strikes"),
    [
        ("*", "a@b.example", True),
        ("*@b.example", "A@B.example", True),
        ("*@B.EXAMPLE", "a@b.example", True),
        ("a@b.example", "c@b.example", False),
    ],
)
def test_a_fault_strikes_whom_its_pattern_names(faults: Faults, pattern: str, recipient: str, strikes: bool) -> None:
    faults.order("policy", recipient=pattern)

    assert (faults.take(["policy"], [recipient]) is not None) == strikes


def test_a_fault_of_another_step_waits_for_its_turn(faults: Faults) -> None:
    faults.order("policy")

    assert faults.take(["greylist"], ["a@b.example"]) is None
    assert faults.take(["greylist", "policy"], ["a@b.example"]) is not None


def test_an_unknown_kind_is_refused_and_the_known_ones_are_named(faults: Faults) -> None:
    with pytest.raises(ValueError, match="greylist, policy"):
        faults.order("earthquake")
