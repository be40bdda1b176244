"""Takes connections: at each turn of the event loop all that wait.

uvloop takes one (since https://github.com/libuv/libuv/pull/3696). A turn lasts as long as the requests in it, so of two
hundred connections that come at once, as when Stripe repeats what it could not deliver, the last waits until the others
have been served several times.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Sequence

from aiohttp import web

log = logging.getLogger(__name__)

# What the kernel keeps of connections that nobody has taken yet; beyond it, they are made to try again after a second.
BACKLOG = 1024

# No connection can be taken while these last.
_USED_UP = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
REST_S = 1.0


class Site(web.BaseSite):
    """Listens on every address that `host` stands for. Raises OSError where that is impossible."""

    def __init__(self, runner: web.BaseRunner, host: str, port: int) -> None:
        super().__init__(runner, backlog=BACKLOG)
        self._host, self._port = host, port

    @property
    def name(self) -> str:
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        await super().start()
        assert self._runner.server is not None
        door = Door(await _listen(self._host, self._port), self._runner.server)
        self._server = door  # type: ignore[assignment]  # of a server, no more is used than a door has


async def _listen(host: str, port: int) -> list[socket.socket]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
            sockets.append(socket.create_server(address, family=family, backlog=BACKLOG))
            sockets[-1].setblocking(False)
    except OSError:
        for each in sockets:
            each.close()
        raise
    return sockets


class Door:
    """What the runner knows a server by: its sockets, and that it can be closed."""

    def __init__(self, sockets: Sequence[socket.socket], make: web.Server) -> None:
        self.sockets = sockets
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._arriving: set[asyncio.Task[object]] = set()
        for each in sockets:
            self._open(each)

    def close(self) -> None:
        """Nobody comes in any more; who is in may stay."""
        for each in self.sockets:
            if each.fileno() >= 0:
                self._loop.remove_reader(each.fileno())
                each.close()

    def _open(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            self._loop.add_reader(listener.fileno(), self._take_all, listener)

    def _take_all(self, listener: socket.socket) -> None:
        for _ in range(BACKLOG):
            try:
                connection, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _USED_UP:
                    raise
                # It would be called again and again: who waits goes on waiting, and the others are served meanwhile.
                log.error("no connection can be taken", extra={"reason": errno.errorcode[error.errno or 0]})
                self._loop.remove_reader(listener.fileno())
                self._loop.call_later(REST_S, self._open, listener)
                return
            connection.setblocking(False)
            arriving = self._loop.create_task(self._let_in(connection))
            self._arriving.add(arriving)
            arriving.add_done_callback(self._arriving.discard)

    async def _let_in(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make, connection)
        except OSError:
            connection.close()  # the client left at once
