"""What every test may ask for: PostgreSQL and RabbitMQ once per run; the stand-ins, empty, for each test."""

from collections.abc import Iterator

import pytest

from deploy.demo.backing import EX_CONFIG, Backing, NoBacking, start

pytest_plugins = ["tests.databases"]


@pytest.fixture(scope="session")
def backing(pytestconfig: pytest.Config) -> Iterator[Backing]:
    """One PostgreSQL and one RabbitMQ for the whole run: the broker alone takes ten seconds to start."""
    terminal = pytestconfig.pluginmanager.get_plugin("terminalreporter")

    def report(line: str) -> None:
        if terminal is not None:
            terminal.ensure_newline()
            terminal.write_line(line)

    try:
        with start(report, durable=False) as running:
            yield running
    except NoBacking as error:
        pytest.exit(f"\n{error}", returncode=EX_CONFIG)


@pytest.fixture(scope="session")
def amqp_url(backing: Backing) -> str:
    return backing.amqp_url
