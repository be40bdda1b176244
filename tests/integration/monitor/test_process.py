"""The process itself: configured by the environment alone, ended by SIGTERM."""

import asyncio
import os
import re
import sys
from pathlib import Path

import aiohttp

ROOT = Path(__file__).resolve().parents[3]
COMMAND = (sys.executable, "-m", "services.monitor")


def environment(**settings: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], **{f"MONITOR_{name.upper()}": value for name, value in settings.items()}}


async def start(env: dict[str, str]) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*COMMAND, cwd=ROOT, env=env, stdout=pipe, stderr=pipe)


async def listening(process: asyncio.subprocess.Process) -> str:
    """The address that it says it listens on."""
    assert process.stdout is not None
    async for line in process.stdout:
        if found := re.search(rb'"message":"listening".*"port":(\d+)', line):
            return f"http://127.0.0.1:{found[1].decode()}"
    raise AssertionError("it ended")


async def test_without_settings_it_says_what_is_missing_and_never_starts():
    process = await start(environment(slack_url="hooks.slack.example/services/secret"))
    _, said = await asyncio.wait_for(process.communicate(), 90)

    assert process.returncode == 78
    assert b"MONITOR_DATABASE_URL" in said
    assert b"MONITOR_AMQP_URL" in said
    assert b"secret" not in said


async def test_it_ends_in_good_order_although_somebody_watches(clean, amqp_url):
    env = environment(database_url=clean.url("monitor"), amqp_url=amqp_url, role_prefix=clean.prefix, port="0")
    process = await start(env)
    try:
        url = await asyncio.wait_for(listening(process), 60)
        async with aiohttp.ClientSession() as http, http.get(f"{url}/live") as stream:
            await stream.content.readany()
            process.terminate()
            await asyncio.wait_for(stream.content.read(), 20)
        said, _ = await asyncio.wait_for(process.communicate(), 30)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert process.returncode == 0
    assert b'"message":"stopped"' in said
    assert b'"level":"ERROR"' not in said
