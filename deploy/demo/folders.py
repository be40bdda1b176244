"""Private folders of the servers: made for one owner, removed by a later start if nobody else did."""

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TextIO

LOCK = "owner.lock"

#: A folder is made a moment before its lock is taken; one as young as this is never taken for a stale one.
YOUNG_S = 60


def make_folder(name: str, user: str | None) -> tuple[Path, TextIO]:
    """A folder that belongs to `user` alone, and the locked file that says, while open, that we live."""
    base = _base(user)
    remove_stale(base, name)
    folder = Path(tempfile.mkdtemp(prefix=f"kct-{name}-{os.getpid()}-", dir=base))
    taken = folder / f"{LOCK}.taken"
    lock_file = open(taken, "w")  # noqa: SIM115 -- open for as long as the server is ours
    fcntl.flock(lock_file, fcntl.LOCK_EX)
    taken.rename(folder / LOCK)  # nobody ever sees it without its lock, and takes the folder for a stale one
    if user is not None:
        shutil.chown(folder, user, user)
    return folder, lock_file


def _base(user: str | None) -> Path:
    """The temporary folder, or the usual one if another user could not reach the servers' data in it."""
    chosen = Path(tempfile.gettempdir()).resolve()
    if user is None or all(each.stat().st_mode & 0o001 for each in (chosen, *chosen.parents)):
        return chosen
    return Path("/tmp")  # noqa: S108 -- mkdtemp makes a folder of its own in it


def remove_stale(base: Path, name: str) -> None:
    for folder in base.glob(f"kct-{name}-*-*"):
        with suppress(OSError):
            if not folder.is_symlink() and not _is_owned(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_owned(folder: Path) -> bool:
    lock = folder / LOCK
    if not lock.exists():
        return time.time() - folder.stat().st_mtime < YOUNG_S
    with open(lock) as lock_file:
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
