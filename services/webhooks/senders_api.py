"""Stripe's list of the addresses it sends from, as a file on the web."""

import aiohttp

from services.webhooks.domain.senders import LONGEST_LIST_BYTES

# The whole call; the file is a few hundred bytes.
TIMEOUT_S = 20.0


class ListNotHad(Exception):
    """There was no answer, or another one than a file. The message says which."""


async def fetch(session: aiohttp.ClientSession, url: str) -> bytes:
    """The file, or as much of it as shows that it is too long; raises ListNotHad."""
    body = bytearray()
    try:
        async with session.get(url) as response:
            if response.status != 200:
                raise ListNotHad(f"answered {response.status}")
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > LONGEST_LIST_BYTES:
                    break
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise ListNotHad(type(error).__name__) from error
    return bytes(body)
