"""The conformance suite's fixtures, and its account: what holds, and on which assumptions it rests."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.standins.stripe.assumptions import ASSUMPTIONS
from tests.integration.standins.conftest import receiver, stand_in, start

__all__ = ["receiver", "stand_in", "start"]

SUMMARY = Path(__file__).parents[2] / "build" / "conformance.json"
RESULTS: list[dict[str, Any]] = []


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "assumes(*ids): the assumptions without a source that a check rests on")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined] - pluggy gives a result where the type says None
    if report.when == "call":
        assumed = sorted({name for marker in item.iter_markers("assumes") for name in marker.args})
        claim = item.name.removeprefix("test_").replace("_", " ")
        RESULTS.append({"claim": claim, "holds": report.passed, "assumes": assumed})


def pytest_sessionfinish() -> None:
    if not RESULTS:
        return
    rests_on = {
        name: {"assumption": ASSUMPTIONS[name], "checks": [one["claim"] for one in RESULTS if name in one["assumes"]]}
        for name in sorted({name for one in RESULTS for name in one["assumes"]})
    }
    account = {
        "checks": len(RESULTS),
        "held": sum(one["holds"] for one in RESULTS),
        "without_assumption": sum(not one["assumes"] for one in RESULTS),
        "rests_on": rests_on,
        "results": RESULTS,
    }
    SUMMARY.parent.mkdir(exist_ok=True)
    SUMMARY.write_text(json.dumps(account, indent=1) + "\n")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if RESULTS:
        held = sum(one["holds"] for one in RESULTS)
        assumed = sorted({name for one in RESULTS for name in one["assumes"]})
        terminalreporter.write_line(f"conformance: {held} of {len(RESULTS)} hold, on {', '.join(assumed)} ({SUMMARY})")
