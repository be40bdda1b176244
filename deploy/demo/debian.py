"""Installs Debian packages for their binaries alone: no service is started, no cluster is made."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

Report = Callable[[str], None]

POLICY = Path("/usr/sbin/policy-rc.d")
POSTGRES_CONFIG = Path("/etc/postgresql-common/createcluster.d/kct-no-main-cluster.conf")

#: What a package would otherwise start at the next boot. Only for a package that was not there before.
UNITS = {
    "postgresql": ("postgresql.service",),
    "rabbitmq-server": ("rabbitmq-server.service", "epmd.service", "epmd.socket"),
}


class InstallFailed(Exception):
    """The packages could not be installed; the message ends with apt's own last words."""


def may_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: list[str], report: Report) -> None:
    """Install `packages`; the machine's own services stay as they are, also when this fails half-way."""
    with ExitStack() as stack:
        stack.enter_context(nothing_starts())
        if "postgresql" in packages:
            stack.enter_context(no_main_cluster())
        report("Reading the list of Debian packages")
        _apt(["update"], report)
        report(f"Installing {' and '.join(packages)} from Debian (a minute or two, once)")
        _apt(["install", "--no-install-recommends", *packages], report)
        _disable_units(packages)


def _apt(arguments: list[str], report: Report) -> None:
    """Run apt-get, report every quarter of its progress, and raise with its last lines if it fails."""
    command = ["apt-get", "-y", "-q", "-o", "DPkg::Lock::Timeout=600", "-o", "APT::Status-Fd=1"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    last_lines: list[str] = []
    shown = 0
    with subprocess.Popen(
        [*command, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as apt:
        assert apt.stdout is not None
        for line in apt.stdout:
            last_lines = [*last_lines[-14:], line.rstrip()]
            percent = percent_of(line)
            if percent >= shown + 25:
                shown = percent - percent % 25
                report(f"  {shown} %")
    if apt.returncode != 0:
        raise InstallFailed(f"apt-get {arguments[0]} failed:\n" + "\n".join(last_lines))


def percent_of(line: str) -> int:
    """The progress in one of apt's status lines, `pmstatus:package:42.8:doing`; 0 for any other line."""
    found = re.match(r"pmstatus:[^:]*(?::[a-z0-9]+)?:(\d+)(?:\.\d+)?:", line)
    return int(found[1]) if found else 0


@contextmanager
def nothing_starts() -> Iterator[None]:
    """Have invoke-rc.d refuse every start (Debian's policy layer); what was there comes back afterwards."""
    if _refuses_already():
        yield
        return
    aside = None
    if POLICY.exists() or POLICY.is_symlink():
        aside = Path(tempfile.mkdtemp(prefix="policy-rc.d.", dir=POLICY.parent)) / POLICY.name
        POLICY.rename(aside)
    try:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
        yield
    finally:
        POLICY.unlink(missing_ok=True)
        if aside is not None:
            aside.rename(POLICY)
            aside.parent.rmdir()


def _refuses_already() -> bool:
    if not os.access(POLICY, os.X_OK):
        return False
    return all(
        subprocess.run([POLICY, name, "start"], check=False, capture_output=True).returncode == 101
        for name in ("postgresql", "rabbitmq-server", "epmd")
    )


@contextmanager
def no_main_cluster() -> Iterator[None]:
    """Debian's package makes and starts a cluster of its own unless this file says otherwise."""
    made = [folder for folder in (POSTGRES_CONFIG.parent.parent, POSTGRES_CONFIG.parent) if not folder.exists()]
    POSTGRES_CONFIG.parent.mkdir(parents=True, exist_ok=True)
    POSTGRES_CONFIG.write_text("create_main_cluster = false\n")
    try:
        yield
    finally:
        POSTGRES_CONFIG.unlink(missing_ok=True)
        for each in made:
            if each.is_dir() and not any(each.iterdir()):
                each.rmdir()


def _disable_units(packages: list[str]) -> None:
    """Not at the next boot either: whoever types `make demo` asked for a demo, not for two servers."""
    if shutil.which("systemctl") is None:
        return
    for package in packages:
        for unit in UNITS.get(package, ()):
            subprocess.run(["systemctl", "disable", "--quiet", unit], check=False, capture_output=True)
