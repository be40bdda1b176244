"""Changing a small file in place, so that whoever reads it meanwhile, or after a crash, is never misled.

A file that is mounted into a container by itself is followed by its inode: to put another one in its place would not
be seen there. So the new text is written down beside it first, then over it, in one call; a change that was cut short
is finished by the next command. What a reader can find half-written, it has to recognise: that is the format's part.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from shared.errors import Conflict, Invalid


class SafeFile:
    """An opened and locked file: what it says, and the way to change that."""

    def __init__(self, path: Path, opened: BinaryIO) -> None:
        self._opened = opened
        self._beside = path.with_name(f".{path.name}.new")
        self.text = opened.read().decode("utf-8")

    def recover(self, check: Callable[[str], object]) -> None:
        """Finishes what a command that was cut short had begun; `check` raises ValueError for a text that isn't whole.

        A file that is whole stays as it is: nothing had been written over it yet, or all of it.
        """
        with contextlib.suppress(FileNotFoundError, ValueError):
            text = self._beside.read_text(encoding="utf-8")
            check(text)
            if not _is_whole(self.text, check):
                self._overwrite(text)
        self._beside.unlink(missing_ok=True)

    def write(self, text: str) -> None:
        """Changes the file; its owner and its permissions stay as they are."""
        self._beside.unlink(missing_ok=True)
        with open(os.open(self._beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as beside:
            beside.write(text.encode())
            _flush(beside)
        self._overwrite(text)
        self._beside.unlink()

    def _overwrite(self, text: str) -> None:
        content = text.encode()
        self._opened.seek(0)
        self._opened.write(content)
        self._opened.truncate(len(content))
        _flush(self._opened)
        self.text = text


@contextlib.contextmanager
def changing(path: Path, check: Callable[[str], object]) -> Iterator[SafeFile]:
    """The file, locked against another command while the block lasts.

    Raises Invalid when it can't be read and written as text, Conflict when another command holds it.
    """
    try:
        opened = path.open("r+b")
    except OSError as error:
        raise Invalid(f"{path} can't be changed: {error.strerror}") from error
    with opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"another command is changing {path}; wait for it and try again") from None
        try:
            file = SafeFile(path, opened)
            file.recover(check)
        except UnicodeDecodeError:
            raise Invalid(f"{path} is not text") from None
        yield file


def _is_whole(text: str, check: Callable[[str], object]) -> bool:
    try:
        check(text)
    except ValueError:
        return False
    return True


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
