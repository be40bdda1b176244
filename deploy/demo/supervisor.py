"""Runs named processes, waits for their health, restarts what dies, ends them all."""

import asyncio
import os
import signal
import time
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import aiohttp

from deploy.demo.keeper import death_signal

Report = Callable[[str], None]

#: The pause before a process is started again, by how often in a row it has lived for less than LIVED_S.
PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0)
LIVED_S = 10.0


#: What a process gets from our own environment; everything else must be said in its Program.
INHERITED = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE")


class NotHealthy(Exception):
    """A process did not become healthy in time; the message ends with the last lines of its log."""


@dataclass(frozen=True)
class Program:
    name: str
    argv: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)  # besides what it inherits
    health_url: str | None = None  # answers 2xx when the process may be used
    service: str = ""  # what `pids` counts it under, when a service runs several times

    @property
    def group(self) -> str:
        return self.service or self.name


@dataclass
class _Running:
    program: Program
    process: Process
    started_at: float
    watcher: asyncio.Task[None] | None = None
    restarts: int = 0
    is_wanted: bool = True


class Supervisor:
    """To be used from the main thread's event loop: children die with the thread that started them."""

    def __init__(self, report: Report, cwd: Path) -> None:
        self._report = report
        self._cwd = cwd
        self._running: dict[str, _Running] = {}

    @property
    def restarts(self) -> dict[str, int]:
        """How often each program was started again."""
        return {name: each.restarts for name, each in self._running.items()}

    @property
    def pids(self) -> dict[str, list[int]]:
        """Service → the processes that run it now."""
        found: dict[str, list[int]] = {}
        for each in self._running.values():
            alive = [each.process.pid] if each.process.returncode is None else []
            found.setdefault(each.program.group, []).extend(alive)
        return found

    async def start(self, *programs: Program, within_s: float = 60) -> None:
        """Start all of them and wait until all are healthy."""
        for program in programs:
            running = _Running(program, await self._spawn(program), time.monotonic())
            self._running[program.name] = running
            running.watcher = asyncio.create_task(self._watch(running), name=f"watch {program.name}")
        await asyncio.gather(*(self.healthy(program.name, within_s) for program in programs))

    async def healthy(self, name: str, within_s: float = 60) -> None:
        """Wait until its health URL answers 2xx."""
        program = self._running[name].program
        if program.health_url is None:
            return
        deadline = time.monotonic() + within_s
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            while not await _is_healthy(session, program.health_url):
                if time.monotonic() > deadline:
                    raise NotHealthy(f"{name} is not healthy after {within_s:g} s:\n{_last_lines(program.log)}")
                await asyncio.sleep(0.1)

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to a program; returns the pid it went to. What dies of it is started again."""
        process = self._running[name].process
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(number)
        return process.pid

    async def stop(self, *names: str, grace_s: float = 30) -> None:
        """End these (all, if none is named): SIGTERM, then SIGKILL for what is left after `grace_s`."""
        chosen = [self._running[name] for name in names or list(self._running)]
        for each in chosen:
            each.is_wanted = False
            if each.watcher is not None:
                each.watcher.cancel()
        await asyncio.gather(*(each.watcher for each in chosen if each.watcher), return_exceptions=True)
        await asyncio.gather(*(self._end(each, grace_s) for each in chosen))
        for each in chosen:
            del self._running[each.program.name]

    async def _spawn(self, program: Program) -> Process:
        kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
        with _open_log(program) as log:
            return await asyncio.create_subprocess_exec(
                *program.argv,
                env={**kept, "PYTHONUNBUFFERED": "1", **program.env},
                cwd=self._cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C on the terminal is for us, who then stop things in order
                preexec_fn=death_signal(),
            )

    async def _watch(self, running: _Running) -> None:
        """Start it again whenever it ends."""
        short_lives = 0
        while running.is_wanted:
            code = await running.process.wait()
            short_lives = short_lives + 1 if time.monotonic() - running.started_at < LIVED_S else 1
            await asyncio.sleep(PAUSES_S[min(short_lives, len(PAUSES_S)) - 1])
            running.process = await self._spawn(running.program)
            running.started_at = time.monotonic()
            running.restarts += 1
            self._report(f"{running.program.name} {_ended(code)}: started again (pid {running.process.pid})")

    async def _end(self, running: _Running, grace_s: float) -> None:
        process = running.process
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), grace_s)
        except TimeoutError:
            self._report(f"{running.program.name} does not end: killed")
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _open_log(program: Program) -> IO[bytes]:
    program.log.parent.mkdir(parents=True, exist_ok=True)
    return open(program.log, "ab")


async def _is_healthy(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as response:
            return response.status < 300
    except (aiohttp.ClientError, TimeoutError):
        return False


def _ended(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
