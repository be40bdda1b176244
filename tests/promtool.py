"""Prometheus's own judge of metrics. On a person's machine its absence skips a test; in CI it fails it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

# Kept between runs; `make clean` removes it.
KEPT = Path(__file__).resolve().parents[1] / "build/tools/promtool"
IN_PACKAGE = Path("usr/bin/promtool")


def find(folder: Path) -> Path:
    """promtool from PATH, from an earlier run, or, as root on Debian, out of its package without installing it."""
    on_path = shutil.which("promtool")
    if on_path:
        return Path(on_path)
    if not KEPT.exists() and os.geteuid() == 0 and shutil.which("apt-get"):
        _unpack(folder)
    if not KEPT.exists():
        missing = "promtool is not here: install Debian's `prometheus` package, or put promtool on PATH"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    return KEPT


def check(promtool: Path, metrics: bytes) -> str:
    """What `promtool check metrics` complains about."""
    done = subprocess.run([promtool, "check", "metrics"], input=metrics, capture_output=True, timeout=60, check=False)
    said = (done.stdout + done.stderr).decode()
    return said if done.returncode or said.strip() else ""


def _unpack(folder: Path) -> None:
    """Downloads and unpacks the package: nothing is installed, so no service is started."""
    commands = (["apt-get", "update"], ["apt-get", "download", "prometheus"])
    for command in commands[1:], commands:  # the list of packages may be missing or old
        done = [subprocess.run(each, cwd=folder, capture_output=True, timeout=300, check=False) for each in command]
        if done[-1].returncode == 0:
            break
    for package in folder.glob("prometheus_*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, folder / "unpacked"], capture_output=True, timeout=300, check=True)
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder / "unpacked" / IN_PACKAGE, KEPT)
