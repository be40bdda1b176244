"""A TCP connection that can be cut or go dead, between a service and what it depends on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit


class Wire:
    """Forwards every connection to its target, until told otherwise."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._port = 0
        self._is_dead = False
        self._is_mute = False
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def to(cls, url: str) -> AsyncIterator["Wire"]:
        wire = cls(url)
        await wire.mend()
        try:
            yield wire
        finally:
            await wire.cut()

    @property
    def url(self) -> str:
        """The target's, but through this wire."""
        credentials = self._parts.netloc.rpartition("@")[0]
        return urlunsplit(self._parts._replace(netloc=f"{credentials}@127.0.0.1:{self._port}"))

    async def mend(self) -> None:
        self._is_dead = self._is_mute = False
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
            self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """As if the server's process had ended: connections break, new ones are refused."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            writer.transport.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def go_dead(self) -> None:
        """As if the cable were out: connections stay, new ones are taken, and nothing comes through."""
        self._is_dead = True

    def mute(self) -> None:
        """As if the cable were out one way: what the service says arrives, and it hears no answer."""
        self._is_mute = True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        try:
            beyond, towards = await asyncio.open_connection(self._parts.hostname, self._parts.port or 5432)
            self._open.add(towards)
            try:
                await asyncio.gather(self._pass(reader, towards), self._pass(beyond, writer, is_answer=True))
            finally:
                self._open.discard(towards)
                towards.transport.abort()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(writer)
            self._tasks.discard(task)
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_answer: bool = False) -> None:
        while chunk := await reader.read(65536):
            while self._is_dead or (self._is_mute and is_answer):
                await asyncio.sleep(0.02)
            writer.write(chunk)
            await writer.drain()
        raise ConnectionError("one side has hung up")
