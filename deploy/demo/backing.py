"""PostgreSQL and RabbitMQ for the demo, the tests and the chaos run: given by URL, found, or installed."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from types import FrameType
from urllib.parse import urlsplit

import asyncpg

from deploy.demo import databases, debian
from deploy.demo import postgres as postgresql
from deploy.demo import rabbitmq as rabbit
from deploy.demo.postgres import Postgres
from deploy.demo.rabbitmq import RabbitMQ

Report = Callable[[str], None]

#: sysexits.h: something on the machine is not set up. The runner exits with it when it meets NoBacking.
EX_CONFIG = 78

CHOICES = """\
KCT Payments needs {missing}. Choose one:
  1. Use servers you have:     export DATABASE_URL=postgresql://user:password@host:5432/database
                               export AMQP_URL=amqp://user:password@host:5672/
  2. Install Debian packages:  sudo apt-get install --no-install-recommends {packages}
                               (found by themselves afterwards; their own services need not run)
  3. Use Docker for all:       make compose-secrets DEV=1 && docker compose up -d --build --wait
                               (docs/compose.md says more)"""


class NoBacking(Exception):
    """There is no PostgreSQL or no RabbitMQ to be had; the message says what to do. Exit with EX_CONFIG."""


@dataclass(frozen=True)
class Backing:
    database_url: str = field(repr=False)  # the owner's, of a database that was empty at the start
    amqp_url: str = field(repr=False)
    rabbitmq_management_url: str | None = field(repr=False)
    postgres: Postgres | None  # None: given by URL, so not ours to stop
    rabbitmq: RabbitMQ | None

    def create_database(self, name: str) -> str:
        """Another database on the same server; returns its URL."""
        return databases.create_database(self.database_url, name)

    def drop_database(self, name: str) -> None:
        databases.drop_database(self.database_url, name)


@contextmanager
def start(report: Report, *, durable: bool = True) -> Iterator[Backing]:
    """Start what is not given by DATABASE_URL and AMQP_URL; everything is gone afterwards.

    `durable=False` is for tests: PostgreSQL then does not wait for the disk.
    """
    given_database, given_broker = _given()
    if given_broker and not _is_broker(given_broker):
        raise NoBacking("AMQP_URL leads to no broker that answers")
    install_missing(report)
    with _orderly_end(), ExitStack() as stack, ThreadPoolExecutor(2) as threads:
        started_postgres = None if given_database else threads.submit(_start_postgres, stack, durable, report)
        started_rabbitmq = None if given_broker else threads.submit(_start_rabbitmq, stack, report)
        postgres = started_postgres.result() if started_postgres else None
        rabbitmq = started_rabbitmq.result() if started_rabbitmq else None
        if postgres is None:
            database_url = stack.enter_context(_database_on(given_database, report))
        else:
            database_url = databases.create_database(postgres.url(), "kct")
        yield Backing(
            database_url=database_url,
            amqp_url=rabbitmq.url if rabbitmq else given_broker,
            rabbitmq_management_url=rabbitmq.management_url if rabbitmq else None,
            postgres=postgres,
            rabbitmq=rabbitmq,
        )


def _given() -> tuple[str, str]:
    return os.environ.get("DATABASE_URL", ""), os.environ.get("AMQP_URL", "")


def install_missing(report: Report) -> None:
    """See to it that `start` finds the programs it needs. Raises NoBacking where they can't be had."""
    given_database, given_broker = _given()
    missing = {}
    if not given_database and postgresql.find_binaries() is None:
        missing["postgresql"] = f"PostgreSQL {postgresql.OLDEST} or later"
    if not given_broker and rabbit.find_server() is None:
        missing["rabbitmq-server"] = "RabbitMQ {}.{} or later".format(*rabbit.OLDEST)
    if not missing:
        return
    choices = CHOICES.format(missing=" and ".join(missing.values()), packages=" ".join(missing))
    if not debian.may_install():
        raise NoBacking(choices)
    try:
        debian.install(list(missing), report)
    except (debian.InstallFailed, OSError) as error:
        raise NoBacking(f"{error}\n\n{choices}") from error
    if ("postgresql" in missing and postgresql.find_binaries() is None) or (
        "rabbitmq-server" in missing and rabbit.find_server() is None
    ):
        raise NoBacking(f"What this Debian's packages provide is too old.\n\n{choices}")


def _is_broker(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme == "amqps":
        return rabbit.listens(parts.hostname or "", parts.port or 5671)
    return rabbit.greets(parts.hostname or "", parts.port or 5672)


def _start_postgres(stack: ExitStack, durable: bool, report: Report) -> Postgres:
    binaries = postgresql.find_binaries()
    assert binaries is not None
    report(f"Starting a private PostgreSQL ({binaries})")
    return stack.enter_context(closing(Postgres(binaries, durable=durable)))


def _start_rabbitmq(stack: ExitStack, report: Report) -> RabbitMQ:
    script = rabbit.find_server()
    assert script is not None
    report(f"Starting a private RabbitMQ ({script}), about ten seconds")
    return stack.enter_context(closing(RabbitMQ(script)))


@contextmanager
def _database_on(url: str, report: Report) -> Iterator[str]:
    """A database of our own on the given server, or the given one itself if we may not create any."""
    try:
        version = databases.server_version(url)
        may_create = databases.may_create_database(url)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise NoBacking(f"DATABASE_URL leads to no PostgreSQL that lets us in: {type(error).__name__}") from error
    if version < postgresql.OLDEST:
        raise NoBacking(f"DATABASE_URL leads to PostgreSQL {version}; {postgresql.OLDEST} or later is needed")
    if not may_create:
        report("DATABASE_URL's user may not create databases: using the given database as it is")
        yield url
        return
    name = databases.fresh_name()
    report(f"Creating the database {name} on the server of DATABASE_URL; it is dropped at the end")
    try:
        yield databases.create_database(url, name)
    finally:
        databases.drop_database(url, name)


@contextmanager
def _orderly_end() -> Iterator[None]:
    """SIGTERM and SIGHUP end us like Ctrl-C, unless the caller has its own way with them."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    ours = [
        each
        for each in (signal.SIGTERM, signal.SIGHUP)
        if threading.current_thread() is threading.main_thread() and signal.getsignal(each) == signal.SIG_DFL
    ]
    for each in ours:
        signal.signal(each, interrupt)
    try:
        yield
    finally:
        for each in ours:
            signal.signal(each, signal.SIG_DFL)
