"""Stopping a process: what runs is finished, then everything is closed, and the exit code tells."""

import asyncio
import contextlib
import json
import signal
import sys
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientSession


class Service:
    """A process of `draining_service`, and what it printed so far."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.output: list[str] = []

    async def read_until(self, text: str) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(40):
            while line := (await self.process.stdout.readline()).decode():
                self.output.append(line)
                if text in line:
                    return line
        raise AssertionError(f"{text!r} never came: {self.output}")

    async def url(self) -> str:
        port = json.loads(await self.read_until('"listening"'))["port"]
        return f"http://127.0.0.1:{port}"

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """The exit code, and how long it took."""
        started = time.monotonic()
        self.process.send_signal(number)
        return await self.ended(), time.monotonic() - started

    async def ended(self) -> int:
        async with asyncio.timeout(40):
            rest, _ = await self.process.communicate()
        self.output += rest.decode().splitlines()
        assert self.process.returncode is not None
        return self.process.returncode

    def messages(self) -> list[str]:
        return [json.loads(line)["message"] if line.startswith("{") else line.strip() for line in self.output]


Start = Callable[..., Coroutine[Any, Any, Service]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    started: list[Service] = []

    async def start(scene: str = "usual", drain_s: float = 10.0) -> Service:
        module = "tests.integration.shared.draining_service"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, scene, str(drain_s), stdout=PIPE, stderr=STDOUT
        )
        started.append(Service(process))
        return started[-1]

    yield start
    for service in started:
        if service.process.returncode is None:
            service.process.kill()
            await service.process.communicate()


@contextlib.asynccontextmanager
async def asked(service: Service) -> AsyncIterator[tuple["asyncio.Task[aiohttp.ClientResponse]", str]]:
    """A request that is under way until SIGUSR1; and the service's address."""
    url = await service.url()
    async with ClientSession(url) as client:
        asking = asyncio.create_task(client.get("/slow"))
        await service.read_until("asked")
        yield asking, url


async def test_a_running_request_is_finished_after_sigterm(start: Start) -> None:
    service = await start()
    async with asked(service) as (asking, _):
        service.process.send_signal(signal.SIGTERM)
        await service.read_until('"draining"')
        assert not asking.done()
        service.process.send_signal(signal.SIGUSR1)
        async with await asking as response:
            assert (response.status, await response.json()) == (200, {"finished": True})
            assert response.headers["Connection"] == "close"
        assert await service.ended() == 0
    assert service.messages()[-2:] == ["closed", "stopped"]


async def test_no_connection_is_accepted_while_draining(start: Start) -> None:
    service = await start()
    async with asked(service) as (asking, url):
        service.process.send_signal(signal.SIGTERM)
        await service.read_until('"draining"')
        with pytest.raises(ConnectionRefusedError):
            async with asyncio.timeout(8):  # it says so a moment before it does so
                while True:
                    _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
                    writer.close()
                    await asyncio.sleep(0.02)
        assert not asking.done()
        service.process.send_signal(signal.SIGUSR1)
        (await asking).release()
        assert await service.ended() == 0


async def test_an_open_connection_still_hears_that_the_process_is_not_ready(start: Start) -> None:
    service = await start()
    async with asked(service) as (asking, url), ClientSession(url) as watcher:
        (await watcher.get("/healthz")).release()
        service.process.send_signal(signal.SIGTERM)
        await service.read_until('"draining"')
        async with watcher.get("/readyz") as response:
            assert (response.status, (await response.json(content_type=None))["code"]) == (503, "draining")
        service.process.send_signal(signal.SIGUSR1)
        (await asking).release()
        assert await service.ended() == 0


async def test_idle_connections_hold_nothing_up(start: Start) -> None:
    service = await start()
    async with ClientSession(await service.url()) as client:
        (await client.get("/healthz")).release()
        exit_code, seconds = await service.stop(signal.SIGINT)
    assert exit_code == 0
    assert seconds < 8  # less than it would wait for somebody


async def test_streams_end_when_the_process_is_told_to_stop(start: Start) -> None:
    service = await start()
    async with ClientSession(await service.url()) as client, client.get("/stream") as response:
        assert await response.content.readexactly(5) == b"first"
        stopping = asyncio.create_task(service.stop())
        assert await response.read() == b" last"
        exit_code, seconds = await stopping
    assert exit_code == 0
    assert seconds < 8  # less than it would wait for somebody


async def test_what_does_not_finish_in_time_is_cut_short(start: Start) -> None:
    service = await start(drain_s=0.5)
    async with asked(service) as (asking, _):
        exit_code, seconds = await service.stop()
        with pytest.raises(aiohttp.ClientError):
            await asking
    assert exit_code == 0
    assert seconds < 15
    assert "cut short" in service.messages()
    assert service.messages()[-2:] == ["closed", "stopped"]


async def test_a_process_told_to_stop_while_it_starts_stops(start: Start) -> None:
    service = await start("never")
    await service.read_until("waiting")
    exit_code, seconds = await service.stop()
    assert exit_code == 0
    assert seconds < 8  # less than it would wait for somebody
    assert service.messages()[-2:] == ["closed", "stopped"]


async def test_a_process_that_cannot_start_says_so_and_closes_what_it_opened(start: Start) -> None:
    service = await start("fails")
    assert await service.ended() == 1
    assert service.messages() == ["opened", "could not start", "closed", "stopped"]
