"""The conformance suite's account: what holds, and on which assumptions it rests. A plugin of the whole run, so that
it hears of checks that ran in other processes too."""

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.standins.stripe.assumptions import ASSUMPTIONS

SUMMARY = Path(__file__).parents[2] / "build" / "conformance.json"
RESULTS: list[dict[str, Any]] = []


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "assumes(*ids): the assumptions without a source that a check rests on")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for name, check in report.user_properties:
        if name == "conformance" and report.when == "call":
            RESULTS.append({**check, "holds": report.passed})


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not RESULTS or hasattr(session.config, "workerinput"):
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
