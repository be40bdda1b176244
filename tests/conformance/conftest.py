"""The conformance suite's fixtures; its account is kept by `account.py`."""

from collections.abc import Iterator

import pytest

from tests.integration.standins.conftest import receiver, stand_in, start

__all__ = ["receiver", "stand_in", "start"]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Tells the account what a check claims, in what a report takes along from one process to another."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined] - pluggy gives a result where the type says None
    if report.when == "call":
        assumed = sorted({name for marker in item.iter_markers("assumes") for name in marker.args})
        claim = item.name.removeprefix("test_").replace("_", " ")
        report.user_properties.append(("conformance", {"claim": claim, "assumes": assumed}))
