"""How connections are taken: all that wait at once, none while files are used up, on every address of a host."""

import asyncio
import contextlib
import os
import resource
import socket
from collections.abc import AsyncIterator

import pytest
import uvloop
from aiohttp import web

from shared.web import listening, make_app
from shared.web.listening import Site
from shared.web.wire import Runner
from tests.integration.shared.conftest import settings_with

AT_ONCE = 100


@contextlib.asynccontextmanager
async def served(kind: type[web.BaseSite] = Site, host: str = "127.0.0.1") -> AsyncIterator[Runner]:
    runner = Runner(make_app(settings_with(), []), shutdown_timeout=1.0)
    await runner.setup()
    try:
        await kind(runner, host, 0).start()
        yield runner
    finally:
        await runner.cleanup()


async def taken_in_a_few_turns(kind: type[web.BaseSite]) -> int:
    """Of as many connections as are made before the server gets its next turn."""
    async with served(kind) as runner:
        with contextlib.ExitStack() as stack:
            for _ in range(AT_ONCE):
                stack.enter_context(socket.create_connection(runner.addresses[0][:2]))
            for _ in range(4):
                await asyncio.sleep(0)
            return len(runner.server.connections)


@pytest.mark.parametrize(("kind", "are_all_in"), [(web.TCPSite, False), (Site, True)])
def test_all_that_wait_are_taken_where_uvloop_takes_one_at_each_turn(kind, are_all_in):
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        assert (loop.run(taken_in_a_few_turns(kind)) == AT_ONCE) is are_all_in


async def health(address: tuple[str, int]) -> bytes:
    reader, writer = await asyncio.open_connection(*address[:2])
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n")[0]


async def test_who_comes_while_files_are_used_up_waits_and_the_others_go_on(caplog, monkeypatch):
    monkeypatch.setattr(listening, "REST_S", 0.2)
    async with served() as runner:
        address = runner.addresses[0]
        usual = resource.getrlimit(resource.RLIMIT_NOFILE)
        with socket.create_connection(address) as early, socket.socket() as late:
            while not runner.server.connections:
                await asyncio.sleep(0.01)
            late.setblocking(False)
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 1, usual[1]))
            try:
                # Every number below the limit is taken, one that listdir itself had for a moment included.
                held = all_that_are_left()
                with contextlib.suppress(BlockingIOError):
                    late.connect(address)
                while "no connection can be taken" not in caplog.text:
                    await asyncio.sleep(0.01)
                early.setblocking(False)
                early.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                assert (await received(early)).startswith(b"HTTP/1.1 200")
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, usual)
                for each in held:
                    os.close(each)
            late.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await received(late)).startswith(b"HTTP/1.1 200")
    assert 1 <= len(caplog.records) < 100  # and not one at each turn


def all_that_are_left() -> list[int]:
    held: list[int] = []
    with contextlib.suppress(OSError):
        while True:
            held.append(os.dup(0))
    return held


async def received(client: socket.socket) -> bytes:
    async with asyncio.timeout(10):
        return await asyncio.get_running_loop().sock_recv(client, 1000)


async def test_every_address_of_a_host_is_listened_on():
    async with served(host="localhost") as runner:
        assert runner.addresses
        for address in runner.addresses:
            assert await health(address) == b"HTTP/1.1 200 OK"


async def test_a_port_that_is_taken_is_named_and_nothing_stays_open():
    async with served() as runner:
        second = Runner(make_app(settings_with(), []))
        await second.setup()
        with pytest.raises(OSError, match=str(runner.addresses[0][1])):
            await Site(second, "127.0.0.1", runner.addresses[0][1]).start()
        await second.cleanup()


async def test_after_the_end_nobody_comes_in():
    async with served() as runner:
        address = runner.addresses[0]
        [site] = runner.sites
        await site.stop()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)
