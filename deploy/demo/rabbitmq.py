"""A private RabbitMQ: own node, own folder, own ports on 127.0.0.1, own user and cookie, own epmd."""

import os
import re
import secrets
import shutil
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

from deploy.demo.private import PrivateServer, ServerFailed, free_ports, user_for

USER = "kct"
OLDEST = (3, 10)
READY_WITHIN_S = 120

PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"

CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
default_user = {user}
default_pass = {password}
loopback_users = none
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 100MB
log.console = false
log.file.level = info
"""


def find_server() -> Path | None:
    """The server's own script; Debian's wrapper in /usr/sbin insists on the user rabbitmq."""
    candidates = [Path("/usr/lib/rabbitmq/bin/rabbitmq-server")]
    if on_path := shutil.which("rabbitmq-server"):
        candidates.append(Path(on_path))
    return next((each for each in candidates if each.exists() and _version(each) >= OLDEST), None)


def _version(script: Path) -> tuple[int, int]:
    """Read from the plugin folder beside the script; starting the server only to ask it takes seconds."""
    plugins = script.resolve().parent.parent / "plugins"
    for each in plugins.glob("rabbit-*"):
        if number := re.match(r"rabbit-(\d+)\.(\d+)", each.name):
            return int(number[1]), int(number[2])
    return (0, 0)


class RabbitMQ:
    """One node. `kill` and `stop` leave ports and data as they are; `start` goes on with them."""

    def __init__(self, script: Path) -> None:
        self._script = script
        self._password = secrets.token_urlsafe(18)
        self.port, self._management, self._distribution, self._epmd = free_ports(4)
        self._server = PrivateServer("rabbitmq", user_for("rabbitmq"))
        try:
            self._configure()
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def folder(self) -> Path:
        """Everything it writes is in here, its logs in `log`."""
        return self._server.folder

    @property
    def ports(self) -> tuple[int, int, int, int]:
        """All it listens on: AMQP, management, distribution, epmd."""
        return self.port, self._management, self._distribution, self._epmd

    @property
    def url(self) -> str:
        return f"amqp://{USER}:{self._password}@127.0.0.1:{self.port}/"

    @property
    def management_url(self) -> str:
        return f"http://{USER}:{self._password}@127.0.0.1:{self._management}"

    def start(self) -> None:
        self._server.start([str(self._script)], self._environment())
        deadline = time.monotonic() + READY_WITHIN_S
        while not (greets("127.0.0.1", self.port) and listens("127.0.0.1", self._management)):
            if not self._server.is_running() or time.monotonic() > deadline:
                logs = (self._server.folder / "log").glob("*.log")
                raise ServerFailed("RabbitMQ did not start:\n" + self._server.last_words(*logs))
            time.sleep(0.1)

    def stop(self) -> None:
        """End it in order: connections are closed, everything is written."""
        self._server.end(signal.SIGTERM, grace_s=60)

    def kill(self) -> None:
        """End it as a power cut would, as far as a process can tell."""
        self._server.end(signal.SIGKILL)

    def freeze(self) -> None:
        """Silent until `thaw`, as behind a network that swallows everything: nobody is told that it is away."""
        self._server.freeze()

    def thaw(self) -> None:
        self._server.thaw()

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        self._server.close()

    def _configure(self) -> None:
        folder = self._server.folder
        configuration = CONFIGURATION.format(
            amqp=self.port, management=self._management, user=USER, password=self._password
        )
        cookie = folder / ".erlang.cookie"
        for file, text in {
            folder / "rabbitmq.conf": configuration,
            folder / "enabled_plugins": "[rabbitmq_management].\n",
            folder / "env.conf": "",  # instead of the machine's own /etc/rabbitmq/rabbitmq-env.conf
            cookie: secrets.token_hex(20),
        }.items():
            file.touch(0o600)
            file.write_text(text)
            if self._server.user is not None:
                shutil.chown(file, self._server.user)
        cookie.chmod(0o400)

    def _environment(self) -> dict[str, str]:
        folder = self._server.folder
        places = {
            "CONFIG_FILE": "rabbitmq.conf",
            "ADVANCED_CONFIG_FILE": "none.config",
            "ENABLED_PLUGINS_FILE": "enabled_plugins",
            "CONF_ENV_FILE": "env.conf",
            "MNESIA_BASE": "data",
            "LOG_BASE": "log",
            "GENERATED_CONFIG_DIR": "generated",
            "SCHEMA_DIR": "schema",
            "PID_FILE": "node.pid",
        }
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),  # where Erlang looks for its cookie
            "LANG": "C.UTF-8",
            **{f"RABBITMQ_{name}": str(folder / place) for name, place in places.items()},
            "RABBITMQ_NODENAME": f"kct-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(self._epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            # The script then becomes the node instead of waiting beside it: one pid, direct signals.
            "RUNNING_UNDER_SYSTEMD": "true",
        }


def greets(host: str, port: int) -> bool:
    """Whether the broker takes up a conversation: it answers the protocol header with connection.start."""
    with suppress(OSError), socket.create_connection((host, port), timeout=5) as connection:
        connection.sendall(PROTOCOL_HEADER)
        return connection.recv(1) == b"\x01"
    return False


def listens(host: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False
