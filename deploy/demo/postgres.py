"""A private PostgreSQL: own folder, own port, own password, reached over 127.0.0.1 alone."""

import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import asyncpg

from deploy.demo.databases import wait_for
from deploy.demo.private import PrivateServer, ServerFailed, free_ports, user_for

OWNER = "kct_owner"
OLDEST = 15
READY_WITHIN_S = 60

#: Nothing has to outlive a crash of the machine in a test run.
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def find_binaries() -> Path | None:
    """The folder of the newest PostgreSQL that is new enough, from PATH or from where Debian puts them."""
    on_path = shutil.which("postgres")
    found = [Path(on_path).resolve().parent] if on_path else []
    found += Path("/usr/lib/postgresql").glob("*/bin")
    usable = {_major(folder): folder for folder in found if (folder / "initdb").exists()}
    newest = max(usable, default=0)
    return usable[newest] if newest >= OLDEST else None


def _major(folder: Path) -> int:
    with suppress(OSError):
        said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
        if number := re.search(r"\) (\d+)", said):
            return int(number[1])
    return 0


class Postgres:
    """One cluster. `kill` and `stop` leave port and data as they are; `start` goes on with them."""

    def __init__(self, binaries: Path, *, durable: bool) -> None:
        self._binaries = binaries
        self._password = secrets.token_urlsafe(18)
        (self.port,) = free_ports(1)
        # SIGQUIT ends it at once and still removes its shared memory, which SIGKILL would leave behind.
        self._server = PrivateServer("postgres", user_for("postgres"), last_signal=signal.SIGQUIT)
        self._data = self._server.folder / "data"
        try:
            self._initialise(durable)
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def folder(self) -> Path:
        """Everything it writes is in here, `output.log` among it."""
        return self._server.folder

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{OWNER}:{self._password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        self._server.start([str(self._binaries / "postgres"), "-D", str(self._data)], self._environment())
        self._wait()

    def stop(self) -> None:
        """End it as an administrator would: sessions are cut, everything is written."""
        self._server.end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a power cut would, as far as a process can tell."""
        self._server.end(signal.SIGKILL)
        self._remove_shared_memory()

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        self._server.close()

    def _initialise(self, durable: bool) -> None:
        password_file = self._server.folder / "password"
        password_file.touch(0o600)
        password_file.write_text(self._password)
        if self._server.user is not None:
            shutil.chown(password_file, self._server.user)
        data = str(self._data)
        command = [str(self._binaries / "initdb"), "-D", data, "-U", OWNER, f"--pwfile={password_file}"]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        self._server.run([*command, "--no-instructions"], self._environment())
        password_file.unlink()
        with open(self._data / "postgresql.conf", "a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in self._settings(durable).items())

    def _settings(self, durable: bool) -> dict[str, str]:
        return {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",  # a socket's path may have 107 characters, a folder's has more
            "max_connections": "200",
            "dynamic_shared_memory_type": "mmap",  # in the data folder, so that it goes with it
            "log_min_duration_statement": "2000",
            "timezone": "UTC",
            **({} if durable else NOT_DURABLE),
        }

    def _environment(self) -> dict[str, str]:
        path = os.environ.get("PATH", os.defpath)
        return {"PATH": path, "LC_ALL": "C.UTF-8", "HOME": str(self._server.folder)}

    def _wait(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while not wait_for(_answers(self.url())):
            if not self._server.is_running() or time.monotonic() > deadline:
                raise ServerFailed("PostgreSQL did not start:\n" + self._server.last_words())
            time.sleep(0.05)

    def _remove_shared_memory(self) -> None:
        """The one small segment that the killed server could not remove itself; its id is in its pid file."""
        with suppress(OSError, IndexError, ValueError):
            identifier = int((self._data / "postmaster.pid").read_text().splitlines()[6].split()[1])
            subprocess.run(["ipcrm", "-m", str(identifier)], check=False, capture_output=True)


async def _answers(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    await connection.close()
    return True
