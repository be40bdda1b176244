"""PostgreSQL and RabbitMQ of our own: they keep their data over a kill, and leave nothing behind."""

import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import aio_pika
import aiohttp
import asyncpg
import psutil
import pytest

from deploy.demo import backing as backing_module
from deploy.demo import folders
from deploy.demo import postgres as postgresql
from deploy.demo.backing import Backing, NoBacking
from deploy.demo.databases import fresh_name
from deploy.demo.postgres import Postgres
from deploy.demo.private import PrivateServer

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """One that may be killed without harm to other tests."""
    binaries = postgresql.find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is given by URL and not installed here")
    running = Postgres(binaries, durable=True)
    yield running
    running.close()


def processes_of(folder_name: str) -> list[psutil.Process]:
    found = []
    for each in psutil.process_iter(["cmdline", "status"]):
        if each.info["status"] != psutil.STATUS_ZOMBIE and folder_name in " ".join(each.info["cmdline"] or ()):
            found.append(each)
    return found


async def test_the_owner_may_create_roles_and_databases(backing: Backing) -> None:
    name = fresh_name()
    other = await asyncpg.connect(backing.create_database(name))
    role = fresh_name()
    await other.execute(f"CREATE ROLE {role}")
    await other.execute(f"DROP ROLE {role}")

    backing.drop_database(name)  # while we are connected to it

    owner = await asyncpg.connect(backing.database_url)
    assert await owner.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", name) == 0
    await owner.close()
    other.terminate()


async def test_the_broker_speaks_amqp_and_shows_its_management_pages(backing: Backing) -> None:
    connection = await aio_pika.connect(backing.amqp_url)
    await connection.close()
    if backing.rabbitmq_management_url is None:
        pytest.skip("the broker is given by URL")
    url = f"{backing.rabbitmq_management_url}/api/overview"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 200


async def test_both_listen_on_loopback_alone(backing: Backing) -> None:
    if backing.postgres is None or backing.rabbitmq is None:
        pytest.skip("given by URL")
    ports = {backing.postgres.port, *backing.rabbitmq.ports}
    listening = [
        each.laddr
        for each in psutil.net_connections("inet")
        if each.status == psutil.CONN_LISTEN and each.laddr.port in ports
    ]
    assert {port for _, port in listening} == ports
    assert {address for address, _ in listening} <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("way", ["kill", "stop"])
async def test_postgres_goes_on_with_its_data_and_port(postgres: Postgres, way: str) -> None:
    connection = await asyncpg.connect(postgres.url())
    await connection.execute(f"CREATE TABLE kept_{way} AS SELECT 42 AS answer")

    await asyncio.to_thread(getattr(postgres, way))
    with pytest.raises((OSError, asyncpg.PostgresError)):
        await asyncpg.connect(postgres.url())
    await asyncio.to_thread(postgres.start)

    again = await asyncpg.connect(postgres.url())
    assert await again.fetchval(f"SELECT answer FROM kept_{way}") == 42
    await again.close()
    connection.terminate()


async def test_a_wrong_password_does_not_open_postgres(postgres: Postgres) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.url(), password="guessed")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_nothing_is_left_of_a_dead_owner(number: signal.Signals) -> None:
    binaries = postgresql.find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is given by URL and not installed here")
    script = f"""
import time
from pathlib import Path
from deploy.demo.postgres import Postgres
server = Postgres(Path({str(binaries)!r}), durable=False)
print(server.folder, flush=True)
time.sleep(60)
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        assert folder.is_dir()
        assert processes_of(folder.name)
        owner.send_signal(number)

    deadline = time.monotonic() + 60
    while folder.exists() or processes_of(folder.name):
        assert time.monotonic() < deadline, "the server outlived its owner"
        time.sleep(0.05)


def test_a_server_does_not_outlive_its_keeper_either() -> None:
    binaries = postgresql.find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is given by URL and not installed here")
    server = Postgres(binaries, durable=False)
    folder = server.folder
    (keeper,) = [each for each in processes_of(folder.name) if "keeper.py" in " ".join(each.cmdline())]
    keeper.kill()

    deadline = time.monotonic() + 60
    while processes_of(folder.name):
        assert time.monotonic() < deadline, "the server outlived its keeper"
        time.sleep(0.05)
    server.close()
    folders.remove_stale(folder.parent, "postgres")
    assert not folder.exists()


def test_a_frozen_server_stands_still_with_all_it_started_until_it_is_thawed() -> None:
    with contextlib.closing(PrivateServer("example", None)) as server:
        started = psutil.Process(server.start(["sh", "-c", "sleep 60 & wait"], {"PATH": os.defpath}))
        while not (found := started.children()):
            time.sleep(0.01)

        def is_still() -> list[bool]:
            return [each.status() == psutil.STATUS_STOPPED for each in (started, *found)]

        server.freeze()
        assert is_still() == [True, True]
        server.thaw()
        assert is_still() == [False, False]
        server.freeze()
    assert not any(each.is_running() for each in (started, *found))


def test_a_folder_whose_owner_and_keeper_are_gone_is_removed_by_the_next_start() -> None:
    stale, lock = folders.make_folder("example", None)
    owned, owned_lock = folders.make_folder("example", None)
    lock.close()

    fresh, fresh_lock = folders.make_folder("example", None)

    assert [each.exists() for each in (stale, owned, fresh)] == [False, True, True]
    for each in (owned_lock, fresh_lock):
        each.close()
    last, last_lock = folders.make_folder("example", None)
    last_lock.close()
    folders.remove_stale(last.parent, "example")
    assert not last.exists()


def test_a_folder_that_is_being_made_is_not_taken_for_a_stale_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when two suites begin at once: one looks for stale folders just before the other has locked its own."""
    lock = fcntl.flock

    def look_first(file: TextIO, operation: int) -> None:
        if operation == fcntl.LOCK_EX:
            folders.remove_stale(Path(file.name).parents[1], "example")
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", look_first)
    folder, lock_file = folders.make_folder("example", None)
    assert folder.is_dir()
    lock_file.close()
    folders.remove_stale(folder.parent, "example")


def test_without_servers_and_without_root_the_choices_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("AMQP_URL", raising=False)
    monkeypatch.setattr(backing_module.postgresql, "find_binaries", lambda: None)
    monkeypatch.setattr(backing_module.rabbit, "find_server", lambda: None)
    monkeypatch.setattr(backing_module.debian, "may_install", lambda: False)

    with pytest.raises(NoBacking) as raised, backing_module.start(print):
        pass

    for choice in ("DATABASE_URL", "AMQP_URL", "postgresql rabbitmq-server", "docker compose up -d"):
        assert choice in str(raised.value)


async def test_a_given_server_gets_a_database_of_its_own_that_is_dropped(
    postgres: Postgres, amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres.url())
    monkeypatch.setenv("AMQP_URL", amqp_url)
    reports: list[str] = []

    with backing_module.start(reports.append) as given:
        connection = await asyncpg.connect(given.database_url)
        name = await connection.fetchval("SELECT current_database()")
        assert name.startswith("kct_")
        assert (given.postgres, given.rabbitmq, given.amqp_url) == (None, None, amqp_url)

    owner = await asyncpg.connect(postgres.url())
    assert await owner.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", name) == 0
    await owner.close()
    connection.terminate()
    assert name in reports[0]


async def test_a_given_server_that_lets_us_create_nothing_is_used_as_it_is(
    postgres: Postgres, amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await asyncpg.connect(postgres.url())
    await owner.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    await owner.close()
    url = f"postgresql://guest:guest@127.0.0.1:{postgres.port}/postgres"
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("AMQP_URL", amqp_url)
    reports: list[str] = []

    with backing_module.start(reports.append) as given:
        assert given.database_url == url

    assert "may not create databases" in reports[0]


def test_a_database_url_that_leads_nowhere_is_named_without_its_password(
    amqp_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://kct:verysecret@127.0.0.1:1/kct")
    monkeypatch.setenv("AMQP_URL", amqp_url)

    with pytest.raises(NoBacking, match="DATABASE_URL") as raised, backing_module.start(print):
        pass

    assert "verysecret" not in str(raised.value)


def test_an_amqp_url_that_leads_nowhere_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMQP_URL", "amqp://kct:verysecret@127.0.0.1:1/")

    with pytest.raises(NoBacking, match="AMQP_URL") as raised, backing_module.start(print):
        pass

    assert "verysecret" not in str(raised.value)
