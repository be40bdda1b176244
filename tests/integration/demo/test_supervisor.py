"""The supervisor, with small real processes."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from deploy.demo.private import free_ports
from deploy.demo.supervisor import NotHealthy, Program, Supervisor

ROOT = Path(__file__).parents[3]

SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ.get("GREETING", "").encode())
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('deaf', flush=True)
time.sleep(60)
"""


@pytest.fixture
def reports() -> list[str]:
    return []


@pytest.fixture
async def supervisor(reports: list[str]) -> AsyncIterator[Supervisor]:
    running = Supervisor(reports.append, ROOT)
    yield running
    await running.stop(grace_s=1)


def a_server(tmp_path: Path, name: str = "server") -> Program:
    (port,) = free_ports(1)
    return Program(
        name=name,
        argv=[sys.executable, "-c", SERVER, str(port)],
        log=tmp_path / f"{name}.log",
        health_url=f"http://127.0.0.1:{port}/healthz",
        service="servers",
    )


async def until(condition: Callable[[], bool], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


async def test_a_started_program_is_healthy_and_has_a_pid(supervisor: Supervisor, tmp_path: Path) -> None:
    await supervisor.start(a_server(tmp_path, "one"), a_server(tmp_path, "two"))

    assert [len(pids) for pids in supervisor.pids.values()] == [2]
    assert all(psutil.pid_exists(pid) for pid in supervisor.pids["servers"])
    assert supervisor.restarts == {"one": 0, "two": 0}


async def test_a_killed_program_is_started_again_and_that_is_said(
    supervisor: Supervisor, tmp_path: Path, reports: list[str]
) -> None:
    await supervisor.start(a_server(tmp_path))
    killed = supervisor.kill("server", signal.SIGKILL)

    await until(lambda: supervisor.restarts["server"] == 1)
    await supervisor.healthy("server")

    assert supervisor.pids["servers"] != [killed]
    assert reports == [f"server was ended by SIGKILL: started again (pid {supervisor.pids['servers'][0]})"]


async def test_what_dies_again_and_again_is_tried_with_growing_pauses(
    supervisor: Supervisor, tmp_path: Path, reports: list[str]
) -> None:
    began = time.monotonic()
    program = Program("broken", [sys.executable, "-c", "raise SystemExit(78)"], tmp_path / "broken.log")
    await supervisor.start(program)

    await until(lambda: supervisor.restarts["broken"] == 3)

    assert time.monotonic() - began > 1.6
    assert "broken ended with 78" in reports[0]


async def test_a_program_that_never_gets_healthy_is_shown_with_its_last_words(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    argv = [sys.executable, "-c", "import time; print('no key', flush=True); time.sleep(60)"]
    program = Program("mute", argv, tmp_path / "mute.log", health_url=f"http://127.0.0.1:{port}/")

    with pytest.raises(NotHealthy):
        await supervisor.start(program, within_s=0.1)
    await until(lambda: "no key" in program.log.read_text())
    with pytest.raises(NotHealthy, match="no key"):
        await supervisor.healthy("mute", within_s=0.1)


async def test_stopping_ends_also_what_ignores_sigterm(
    supervisor: Supervisor, tmp_path: Path, reports: list[str]
) -> None:
    log = tmp_path / "deaf.log"
    await supervisor.start(Program("deaf", [sys.executable, "-c", DEAF], log))
    await until(lambda: log.read_text() == "deaf\n")
    (pid,) = supervisor.pids["deaf"]

    await supervisor.stop("deaf", grace_s=0.3)

    assert not psutil.pid_exists(pid)
    assert reports == ["deaf does not end: killed"]
    assert supervisor.pids == {}


async def test_its_programs_do_not_see_our_environment(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHECKOUT_SECRET", "not for others")
    log = tmp_path / "env.log"
    argv = [sys.executable, "-c", "import os, time; print(dict(os.environ), flush=True); time.sleep(60)"]
    await supervisor.start(Program("env", argv, log, env={"GREETING": "hello"}))

    await until(lambda: log.read_text() != "")

    assert "'GREETING': 'hello'" in log.read_text()
    assert "CHECKOUT_SECRET" not in log.read_text()


def test_its_programs_die_with_it_even_when_it_is_killed(tmp_path: Path) -> None:
    script = f"""
import asyncio, os, pathlib, signal, sys
from deploy.demo.supervisor import Program, Supervisor
async def main():
    supervisor = Supervisor(print, pathlib.Path("."))
    log = pathlib.Path({str(tmp_path / "sleep.log")!r})
    await supervisor.start(Program("sleep", [sys.executable, "-c", "import time; time.sleep(60)"], log))
    print(supervisor.pids["sleep"][0], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ},
    )
    pid = int(done.stdout)

    deadline = time.monotonic() + 60
    while lives(pid):
        assert time.monotonic() < deadline, "the program outlived its supervisor"
        time.sleep(0.02)


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # perhaps in this moment
        return False
