"""The messages taken, and what makes a payload one."""

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

#: Slack's own limits for a message.
MOST_BLOCKS = 50
LONGEST_TEXT = 40_000


class Refused(Exception):
    """The payload is not a message; the text is the word Slack answers with."""


@dataclass(frozen=True)
class Message:
    id: int
    received_at: datetime
    webhook: str  # the path it came to
    payload: dict[str, Any]

    @property
    def text(self) -> str:
        return str(self.payload.get("text") or "")

    @property
    def blocks(self) -> list[dict[str, Any]]:
        return list(self.payload.get("blocks") or [])

    @property
    def lines(self) -> list[str]:
        """What a reader sees: the texts of the blocks, or the text alone when there are none."""
        found = [line for block in self.blocks for line in _texts(block)]
        return found or [self.text]

    def says(self, words: str) -> bool:
        return words in "\n".join((self.text, *self.lines))


def parse(body: bytes) -> dict[str, Any]:
    try:
        payload = json.loads(body)
    except ValueError as error:
        raise Refused("invalid_payload") from error
    if not isinstance(payload, dict):
        raise Refused("invalid_payload")
    blocks = payload.get("blocks")
    if blocks is not None and not _are_blocks(blocks):
        raise Refused("invalid_blocks")
    text = payload.get("text")
    if text is not None and not isinstance(text, str):
        raise Refused("invalid_payload")
    if not (text or blocks or payload.get("attachments")):
        raise Refused("no_text")
    if text and len(text) > LONGEST_TEXT:
        raise Refused("msg_too_long")
    return payload


class Messages:
    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._next_id = 1

    def take(self, webhook: str, payload: dict[str, Any]) -> Message:
        message = Message(self._next_id, datetime.now(UTC), webhook, payload)
        self._next_id += 1
        self._messages.append(message)
        return message

    def all(self) -> list[Message]:
        return list(self._messages)

    def clear(self) -> None:
        self._messages.clear()

    async def wait_for(self, count: int, containing: str = "", within_s: float = 30) -> list[Message]:
        """The messages with some text in them, as soon as there are `count` of them."""
        deadline = time.monotonic() + within_s
        while len(found := [each for each in self._messages if each.says(containing)]) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(found)} of {count} messages after {within_s:g} s")
            await asyncio.sleep(0.02)
        return found


def _are_blocks(blocks: Any) -> bool:
    return (
        isinstance(blocks, list)
        and len(blocks) <= MOST_BLOCKS
        and all(isinstance(block, dict) and isinstance(block.get("type"), str) for block in blocks)
    )


def _texts(value: Any) -> list[str]:
    """Every text in a block, in reading order: a string under `text`, however deep."""
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    if not isinstance(value, dict):
        return []
    text = value.get("text")
    if isinstance(text, str):
        return [text]
    return [line for key in ("text", "fields", "elements", "accessory") for line in _texts(value.get(key))]
