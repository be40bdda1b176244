"""The suite under compose, once for all stories."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from deploy.demo.backing import EX_CONFIG
from deploy.demo.shopper import Shopper
from deploy.demo.watching import Watcher
from tests.compose.engine import NoEngine, engine
from tests.compose.suite import ROOT, Suite, Watch, new_folder


@pytest.fixture(scope="session")
def suite(pytestconfig: pytest.Config) -> Iterator[Suite]:
    terminal = pytestconfig.pluginmanager.get_plugin("terminalreporter")

    def report(line: str) -> None:
        if terminal is not None:
            terminal.ensure_newline()
            terminal.write_line(f"compose-test: {line}")

    try:
        with engine(report), new_folder() as folder:
            suite = Suite(Path(folder), report)
            try:
                suite.start()
                yield suite
            except BaseException:
                _keep_logs(suite)
                raise
            finally:
                suite.stop()
            assert suite.left_behind() == {}
    except NoEngine as error:
        pytest.exit(f"\n{error}", returncode=EX_CONFIG)


@pytest.fixture(scope="session")
async def http(suite: Suite) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield session


@pytest.fixture
def watch(http: aiohttp.ClientSession, suite: Suite) -> Watch:
    return Watch(http, suite)


@pytest.fixture
def watcher(http: aiohttp.ClientSession, suite: Suite) -> Watcher:
    return Watcher(http, suite.addresses())


@pytest.fixture
def shopper(http: aiohttp.ClientSession, suite: Suite) -> Shopper:
    return Shopper(http, suite.addresses(), "ada")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """What the containers said, as soon as a story fails: later it is gone."""
    report = yield
    suite = getattr(item, "funcargs", {}).get("suite")
    if report.failed and isinstance(suite, Suite):
        _keep_logs(suite)
    return report


def _keep_logs(suite: Suite) -> None:
    file = ROOT / "build/compose-test.log"
    file.parent.mkdir(exist_ok=True)
    try:
        file.write_text(suite.compose("ps", "--all") + suite.compose("logs", "--no-color", "--timestamps"))
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        file.write_text(f"the logs could not be read: {error}")
    if os.environ.get("CI"):
        sys.stderr.write("\n".join(file.read_text().splitlines()[-200:]))
