"""A Docker engine: the one that runs already, or one that a script starts and stops for us."""

import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Scripts that start and stop an engine, kept beside the checkout.
BESIDE = ROOT.parent / "shared/compose-lab"
STARTS_WITHIN_S = 900

NO_ENGINE = """\
A Docker engine with Compose 2.24 or later is needed, and none answers. Start one, or name a command that does:
  export KCT_DOCKER_UP='systemctl start docker'
  export KCT_DOCKER_DOWN='systemctl stop docker'    # for an engine that was started by it; optional"""


class NoEngine(Exception):
    """There is no engine to be had; the message says what to do."""


def answers() -> bool:
    try:
        for question in (["docker", "info"], ["docker", "compose", "version"]):
            subprocess.run(question, check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


@contextmanager
def engine(report: Callable[[str], None]) -> Iterator[None]:
    """An engine for as long as the block lasts; one that was started for it is stopped again, where we know how."""
    if answers():
        yield
        return
    up, down = _command("up"), _command("down")
    if not up:
        raise NoEngine(NO_ENGINE)
    report(f"No Docker engine answers: starting one with `{shlex.join(up)}`, a few minutes the first time")
    try:
        subprocess.run(up, check=True, timeout=STARTS_WITHIN_S)
    except (OSError, subprocess.SubprocessError) as error:
        raise NoEngine(f"{shlex.join(up)}: {error}\n\n{NO_ENGINE}") from error
    if not answers():
        raise NoEngine(f"{shlex.join(up)} ended well, and still no engine answers.\n\n{NO_ENGINE}")
    try:
        yield
    finally:
        if down:
            report(f"Stopping the engine with `{shlex.join(down)}`")
            subprocess.run(down, check=False, timeout=120)


def _command(verb: str) -> list[str]:
    if os.environ.get("KCT_DOCKER_UP"):
        return shlex.split(os.environ.get(f"KCT_DOCKER_{verb.upper()}", ""))
    beside = BESIDE / verb
    return [str(beside)] if os.access(beside, os.X_OK) else []
