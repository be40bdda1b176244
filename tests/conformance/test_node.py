"""The official Node package drives the stand-in, too."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from deploy.standins.stripe.app import make_app
from deploy.standins.stripe.config import Config
from tests.integration.standins.conftest import serve

HERE = Path(__file__).parent / "node"
PLACE = Path(__file__).parents[2] / "build" / "node"
CLAIMS = re.findall(r"^  async '(.+)'\(\)", (HERE / "story.mjs").read_text(), re.MULTILINE)


def installed() -> Path:
    """The package, from the lock file, once."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("node and npm are needed")
        pytest.skip("node and npm are not installed")
    PLACE.mkdir(parents=True, exist_ok=True)
    lock = (HERE / "package-lock.json").read_bytes()
    done = PLACE / "installed-lock.json"
    for name in ("package.json", "package-lock.json", "story.mjs"):
        shutil.copy(HERE / name, PLACE / name)
    if not done.exists() or done.read_bytes() != lock:
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        result = subprocess.run(command, cwd=PLACE, capture_output=True, text=True, timeout=100, check=False)
        assert result.returncode == 0, result.stderr
        done.write_bytes(lock)
    return PLACE


@pytest.fixture(scope="module")
async def told() -> AsyncIterator[dict[str, str | None]]:
    place = await asyncio.to_thread(installed)
    async with AsyncExitStack() as stack:
        url = await serve(stack, make_app(Config(capture_delay_s=0.05)))
        process = await asyncio.create_subprocess_exec(
            "node", "story.mjs", url, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, err.decode()
        lines = [json.loads(line) for line in out.splitlines()]
        yield {line["claim"]: line["error"] for line in lines}


@pytest.mark.parametrize("claim", CLAIMS)
def test_node_does(told: dict[str, str | None], claim: str) -> None:
    assert told[claim] is None, told[claim]
