"""Keeps one server process for an owner, and ends it and all it has started as soon as the owner is gone.

Run as a script, by `private.PrivateServer`. Orders come as JSON lines on standard input, each is answered by
a line on standard output. The end of the input is the order that always comes, even from an owner killed with
SIGKILL: then everything ends and the folder is removed. As a "child subreaper" the keeper also adopts what
daemonises itself (epmd).
"""

import ctypes
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def death_signal(number: int = signal.SIGKILL) -> Callable[[], None]:
    """What a child calls before exec, to be sent a signal when the thread that started it is gone."""
    if not sys.platform.startswith("linux"):
        return lambda: None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def die_with_parent() -> None:
        prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it died before the call
            os._exit(1)

    return die_with_parent


def as_user(user: str | None) -> dict[str, Any]:
    """The arguments of Popen that drop root's rights; none of them for `None`."""
    return {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


class Keeper:
    def __init__(self, folder: Path, user: str | None, last_signal: int) -> None:
        self._folder = folder
        self._user = user
        self._last_signal = last_signal
        self._server: subprocess.Popen[bytes] | None = None

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        if order["do"] == "start":
            return {"pid": self._start(order["argv"], order["env"])}
        if order["do"] == "end":
            return {"ended": self._end(order["signal"], order["grace_s"])}
        if order["do"] == "signal":
            return {"signalled": self._signal(order["signal"])}
        return {"running": self._is_running()}

    def close(self) -> None:
        self._end(self._last_signal, grace_s=5)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, argv: list[str], env: dict[str, str]) -> int:
        with open(self._folder / "output.log", "ab") as log:
            self._server = subprocess.Popen(
                argv,
                env=env,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=death_signal(self._last_signal),  # noqa: PLW1509 -- the keeper has one thread
                **as_user(self._user),
            )
        return self._server.pid

    def _is_running(self) -> bool:
        return self._server is not None and self._server.poll() is None

    def _end(self, number: int, grace_s: float) -> bool:
        """Signal the server (SIGKILL: everything at once), wait for all to be gone, force what is not."""
        if number != signal.SIGKILL and self._server is not None and self._server.poll() is None:
            self._server.send_signal(number)
            self._server_gone(grace_s)
        deadline = time.monotonic() + 10
        while (left := _descendants()) and time.monotonic() < deadline:
            for process in left:
                with suppress(psutil.Error):
                    process.kill()
            _reap()
            time.sleep(0.02)
        return not left

    def _signal(self, number: int) -> int:
        """Send it to the server and all it has started; how many there are. SIGSTOP: returns when all stand still."""
        found = _descendants()
        for process in found:
            with suppress(psutil.Error):
                process.send_signal(number)
        deadline = time.monotonic() + 10
        while number == signal.SIGSTOP and not all(map(_stands_still, found)) and time.monotonic() < deadline:
            time.sleep(0.005)  # a signal is taken when its process runs next: on a busy machine that is later
        return len(found)

    def _server_gone(self, grace_s: float) -> None:
        assert self._server is not None
        with suppress(subprocess.TimeoutExpired):
            self._server.wait(grace_s)


def _stands_still(process: psutil.Process) -> bool:
    try:
        return process.status() in {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE}
    except psutil.Error:
        return True  # gone


def _descendants() -> list[psutil.Process]:
    _reap()
    return psutil.Process().children(recursive=True)


def _reap() -> None:
    """Take leave of what has ended, the adopted ones among them. Popen copes with losing its child here."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def main() -> None:
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit())
    keeper = Keeper(Path(sys.argv[1]), sys.argv[2] or None, int(sys.argv[3]))
    pending = b""
    try:
        while chunk := os.read(0, 65536):
            pending += chunk
            while b"\n" in pending:
                line, pending = pending.split(b"\n", 1)
                os.write(1, json.dumps(keeper.obey(json.loads(line))).encode() + b"\n")
    finally:
        keeper.close()


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        main()
