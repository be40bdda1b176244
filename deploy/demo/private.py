"""A server process of our own: its private folder, its ports, its keeper."""

import atexit
import json
import os
import pwd
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from deploy.demo import keeper
from deploy.demo.folders import make_folder

#: Below the range the kernel gives to outgoing connections (from 32768): a port that must outlive a restart
#: of its server must not be given away, as the near end of some connection, while the server is down.
PORTS = range(20_000, 32_000)


class ServerFailed(Exception):
    """A private server could not be started; the message ends with the last lines of its log."""


#: Port → the socket that keeps it for this process, whether or not its server happens to run.
_kept: dict[int, socket.socket] = {}


@atexit.register
def _let_go() -> None:
    for each in _kept.values():
        each.close()


def free_ports(count: int) -> list[int]:
    """Distinct ports of 127.0.0.1 that nobody has, and that nobody else who asks here gets while this process lives.

    Two suites on one machine would otherwise be given the same port, one of them while its server is still starting
    or is started again, and would then talk to each other's services without noticing.
    """
    ports: list[int] = []
    while len(ports) < count:
        port = random.choice(PORTS)  # noqa: S311 -- no secret, a port
        if port not in _kept and _keep(port):
            ports.append(port)
    return ports


def _keep(port: int) -> bool:
    """Bind it without listening. That shuts out whoever binds without SO_REUSEADDR, as the next line does; a server,
    which binds with it, may listen there again and again.
    """
    candidate = socket.socket()
    try:
        candidate.bind(("127.0.0.1", port))
    except OSError:
        candidate.close()
        return False
    candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _kept[port] = candidate
    return True


def user_for(name: str) -> str | None:
    """Who a server runs as: this user, but never as root, which PostgreSQL refuses and nothing else needs."""
    if os.geteuid() != 0:
        return None
    for each in (name, "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(each).pw_name
    return None


class PrivateServer:
    """A folder, and the keeper of one server in it. Both go with `close`, or soon after this process."""

    def __init__(self, name: str, user: str | None, last_signal: int = signal.SIGKILL) -> None:
        self.user = user
        self.folder, self._lock_file = make_folder(name, user)
        self._one_order = threading.Lock()
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", keeper.__file__, str(self.folder), user or "", str(int(last_signal))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C on the terminal is for the owner, who then ends things in order
            pass_fds=[self._lock_file.fileno()],  # the lock is let go when owner and keeper are both gone
        )

    def start(self, argv: list[str], env: Mapping[str, str]) -> int:
        return int(self._order(do="start", argv=argv, env=dict(env))["pid"])

    def is_running(self) -> bool:
        return bool(self._order(do="look")["running"])

    def end(self, number: int, grace_s: float = 30) -> None:
        """Send a signal; returns when the server and all it started are gone. SIGKILL goes to all at once."""
        if not self._order(do="end", signal=int(number), grace_s=grace_s)["ended"]:
            raise ServerFailed(f"processes of {self.folder.name} do not end")

    def freeze(self) -> None:
        """The server and all it has started stand still: connections stay open, and nothing answers on them."""
        self._order(do="signal", signal=int(signal.SIGSTOP))

    def thaw(self) -> None:
        """All go on where they stood."""
        self._order(do="signal", signal=int(signal.SIGCONT))

    def run(self, argv: list[str], env: Mapping[str, str]) -> None:
        """Run a command to its end, as the server's user."""
        done = subprocess.run(
            argv,
            env=env,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=keeper.death_signal(),
            **keeper.as_user(self.user),
        )
        if done.returncode != 0:
            raise ServerFailed(f"{argv[0]} failed:\n{done.stdout}{done.stderr}")

    def last_words(self, *logs: Path) -> str:
        lines: list[str] = []
        for log in (self.folder / "output.log", *logs):
            with suppress(OSError):
                lines += log.read_text(errors="replace").splitlines()[-15:]
        return "\n".join(lines)

    def close(self) -> None:
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        with suppress(OSError):
            self._keeper.stdin.close()
        self._keeper.wait()
        self._keeper.stdout.close()
        self._lock_file.close()

    def _order(self, **order: Any) -> dict[str, Any]:
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        with self._one_order:
            try:
                self._keeper.stdin.write(json.dumps(order).encode() + b"\n")
                self._keeper.stdin.flush()
                answer = self._keeper.stdout.readline()
            except OSError:
                answer = b""
        if not answer:
            raise ServerFailed(f"the keeper of {self.folder.name} is gone")
        found: dict[str, Any] = json.loads(answer)
        return found
