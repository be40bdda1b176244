"""How `make test` runs in several processes at once: a plugin of the whole run.

Each process has its own PostgreSQL and RabbitMQ, and takes whole files. What has to be installed is installed before,
by the one process that a person sees.
"""

import os

import pytest

from deploy.demo import backing
from tests import chromium
from tests.reporting import reporting

#: As many as the processors of the smallest machine that has to play the suite in time; each brings a broker along.
PROCESSES = 2


@pytest.hookimpl(optionalhook=True)  # there may be a run without xdist
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process where the broker is given: its queues bear the product's names and can't be shared."""
    return 0 if os.environ.get("AMQP_URL") else PROCESSES


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    report = reporting(config)
    try:
        backing.install_missing(report)
    except backing.NoBacking as error:
        pytest.exit(f"\n{error}", returncode=backing.EX_CONFIG)
    chromium.install_missing(report)
    report("Each process of the suite starts a PostgreSQL and a RabbitMQ of its own, about ten seconds")
