"""What every test may ask for: PostgreSQL and RabbitMQ once per run; the stand-ins, empty, for each test."""

from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from deploy.demo.backing import EX_CONFIG, Backing, NoBacking, start
from deploy.standins.slack.standin import SlackStandIn
from deploy.standins.smtp.standin import SmtpStandIn
from tests.reporting import reporting

pytest_plugins = ["tests.databases", "tests.parallel", "tests.conformance.account"]

# A busy machine is no bug: an example may take as long as it needs.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def backing(pytestconfig: pytest.Config) -> Iterator[Backing]:
    """One PostgreSQL and one RabbitMQ for the whole run: the broker alone takes ten seconds to start."""
    try:
        with start(reporting(pytestconfig), durable=False) as running:
            yield running
    except NoBacking as error:
        pytest.exit(f"\n{error}", returncode=EX_CONFIG)


@pytest.fixture(scope="session")
def amqp_url(backing: Backing) -> str:
    return backing.amqp_url


@pytest.fixture(scope="session")
async def running_smtp() -> AsyncIterator[SmtpStandIn]:
    async with SmtpStandIn().running() as standin:
        yield standin


@pytest.fixture
def smtp(running_smtp: SmtpStandIn) -> SmtpStandIn:
    """A mail server with an empty mailbox and nothing wrong with it."""
    running_smtp.clear()
    return running_smtp


@pytest.fixture(scope="session")
async def running_slack() -> AsyncIterator[SlackStandIn]:
    async with SlackStandIn().running() as standin:
        yield standin


@pytest.fixture
def slack(running_slack: SlackStandIn) -> SlackStandIn:
    """Slack's incoming webhook, with no messages yet and nothing wrong with it."""
    running_slack.clear()
    return running_slack
