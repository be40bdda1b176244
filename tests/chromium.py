"""Debian's Chromium. On a person's machine its absence skips a test; in CI it fails it."""

import ctypes
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from playwright.async_api import Browser, async_playwright

from deploy.demo import debian

# Quiet, and deaf to everything but this machine: no name resolves, and what Chromium does of its own accord is off.
ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]


def install_missing(report: Callable[[str], None]) -> None:
    """Debian's packages for what isn't here, if we may; should that fail, the test that needs it says so."""
    packages = _missing()
    if packages and debian.may_install():
        try:
            debian.install(packages, report)
        except debian.InstallFailed as error:
            report(str(error))


def _missing() -> list[str]:
    packages = [] if shutil.which("chromium") else ["chromium"]
    try:
        ctypes.CDLL("libatomic.so.1")  # Playwright's own driver needs it, and a bare Debian lacks it
    except OSError:
        packages.append("libatomic1")
    return packages


def find(report: Callable[[str], None]) -> Path:
    """Chromium from PATH, installed first where that may be done."""
    install_missing(report)
    found = shutil.which("chromium")
    if found is None or _missing():
        missing = f"The browser's tests need Debian's {' and '.join(_missing())} (or chromium on PATH)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    return Path(found)


@asynccontextmanager
async def running(program: Path) -> AsyncIterator[Browser]:
    """A browser without a past; its profile and whatever it writes elsewhere in a home are gone afterwards."""
    # The sandbox needs a user who isn't root.
    arguments = [*ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with TemporaryDirectory(prefix="kct-chromium-", ignore_cleanup_errors=True) as home:
        env = {**os.environ, "HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home, "TMPDIR": home}
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=program,
                args=arguments,
                env=env,
                # Going back must be what it is for people, who get the page as they left it.
                ignore_default_args=["--disable-back-forward-cache"],
            )
            try:
                yield browser
            finally:
                await browser.close()
