"""Bytes on a socket, as somebody sends them who doesn't care for HTTP."""

import asyncio
import contextlib
import re
from dataclasses import dataclass

# Not only at the start of a line: the next answer begins right behind the last one's body.
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) ")


@dataclass(frozen=True)
class Answer:
    """All that came back until the server hung up or nothing came any more."""

    raw: bytes

    @property
    def statuses(self) -> list[int]:
        """Of each answer, the interim ones included."""
        return [int(each) for each in _STATUS.findall(self.raw)]

    @property
    def count(self) -> int:
        """How many answers came, the interim ones left out."""
        return sum(status >= 200 for status in self.statuses)

    @property
    def is_decent(self) -> bool:
        """Refused, accepted, or hung up on: never our own fault, and nothing about what we run on."""
        tells = (b"Traceback", b"aiohttp", b"Python/", b"asyncpg")
        return all(status < 500 for status in self.statuses) and not any(word in self.raw for word in tells)


async def send(
    url: str, *pieces: bytes, pause_s: float = 0.0, quiet_s: float = 0.15, within_s: float = 20.0, answers: int = 0
) -> Answer:
    """Sends the pieces with a pause between them and reads until it has been quiet for a while.

    Quiet counts only once so many `answers` have come: a busy machine may take longer for them.
    """
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    answer = b""
    try:
        async with asyncio.timeout(within_s):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause_s)
            while chunk := await asyncio.wait_for(
                reader.read(65536), quiet_s if Answer(answer).count >= answers else within_s
            ):
                answer += chunk
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return Answer(answer)
