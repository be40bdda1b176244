"""Fires for a while and judges what comes back."""

import asyncio
import contextlib
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import orjson

from tests.fuzz.mutations import hostile
from tests.fuzz.target import Target

CONNECTIONS = 16
# How long an answer may take to begin; what asks for more to come, and gets nothing, is answered by silence.
PATIENCE_S = 0.5
QUIET_S = 0.02
REPORT_S = 10.0
# Caches, buffers and the allocator's slack; a leak passes this in a minute.
MOST_GROWTH_MB = 64.0

# Not only at the start of a line: the next answer begins right behind the last one's body.
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) ")


@dataclass
class Outcome:
    """What was sent, what was answered, and what should not have been."""

    seed: int
    sent: int = 0
    seconds: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    rss_before_mb: float = 0.0
    rss_after_mb: float = 0.0
    stored: int = 0
    signed: dict[str, set[bytes]] = field(default_factory=dict)

    def says(self) -> str:
        answers = ", ".join(f"{status}: {count}" for status, count in sorted(self.answers.items()))
        return (
            f"seed {self.seed}: {self.sent} sent in {self.seconds:.0f} s; "
            f"answers {{{answers}}}; RSS {self.rss_before_mb:.1f} -> {self.rss_after_mb:.1f} MB; "
            f"{self.stored} stored; {len(self.faults)} faults"
        )


async def fuzz(target: Target, seed: int, seconds: float, report: Callable[[str], None]) -> Outcome:
    """Fires until the time is over, then looks at what is left."""
    outcome = Outcome(seed)
    await _fire_for(target, Outcome(-seed), min(2.0, seconds / 2), outcome.signed)  # warm: code, caches, connections
    outcome.rss_before_mb = target.rss_mb()
    began = time.monotonic()
    reporting = asyncio.create_task(_report(outcome, target, began, report))
    try:
        await _fire_for(target, outcome, seconds, outcome.signed)
    finally:
        reporting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reporting
    outcome.seconds = time.monotonic() - began
    await _judge(target, outcome)
    return outcome


async def _fire_for(target: Target, outcome: Outcome, seconds: float, signed: dict[str, set[bytes]]) -> None:
    until = time.monotonic() + seconds

    async def gun() -> None:
        while time.monotonic() < until and target.process.is_running():
            number = outcome.sent
            outcome.sent += 1
            wire, body = hostile(Random(f"{outcome.seed}/{number}"))
            _note_signed(signed, body)
            await _one(target, outcome, number, wire)

    await asyncio.gather(*(gun() for _ in range(CONNECTIONS)))


async def _one(target: Target, outcome: Outcome, number: int, wire: bytes) -> None:
    try:
        answer = await exchange(target.port, wire, Random(number))
    except ConnectionRefusedError:
        outcome.faults.append(f"#{number}: refused the connection")
        await asyncio.sleep(0.1)
        return
    except OSError:
        outcome.answers["cut"] += 1
        return
    statuses = [status.decode() for status in _STATUS.findall(answer)]
    outcome.answers.update(statuses or ["closed or silent"])
    if any(status >= "500" for status in statuses):
        outcome.faults.append(f"#{number}: answered {statuses} to {wire[:600]!r} … with {answer[:600]!r}")


async def exchange(port: int, wire: bytes, rng: Random) -> bytes:
    """Sends in one piece or a few; reads until the answer seems to be whole, the connection ends, or nothing comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        cut = rng.randrange(len(wire) + 1) if rng.random() < 0.2 else len(wire)
        for piece in (wire[:cut], wire[cut:]):
            if piece:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
        with contextlib.suppress(TimeoutError):
            while chunk := await asyncio.wait_for(reader.read(65536), QUIET_S if _is_final(answer) else PATIENCE_S):
                answer += chunk
    except ConnectionError:
        if not answer:
            raise
    finally:
        writer.transport.abort()
    return answer


def _is_final(answer: bytes) -> bool:
    return any(not status.startswith(b"1") for status in _STATUS.findall(answer))


def _note_signed(signed: dict[str, set[bytes]], body: bytes) -> None:
    """Under which ids it could be stored: whichever a reader of JSON would find in it."""
    with contextlib.suppress(orjson.JSONDecodeError, TypeError, AttributeError):
        if isinstance(name := orjson.loads(body).get("id"), str):
            signed.setdefault(name, set()).add(body)


async def _report(outcome: Outcome, target: Target, began: float, report: Callable[[str], None]) -> None:
    while True:
        await asyncio.sleep(REPORT_S)
        passed = time.monotonic() - began
        report(f"  {passed:4.0f} s  {outcome.sent} sent, RSS {target.rss_mb():.1f} MB, {len(outcome.faults)} faults")


async def _judge(target: Target, outcome: Outcome) -> None:
    faults = outcome.faults
    if not target.process.is_running():
        faults.append("the process ended")
        return
    outcome.rss_after_mb = target.rss_mb()
    if outcome.rss_after_mb - outcome.rss_before_mb > MOST_GROWTH_MB:
        faults.append(f"RSS grew from {outcome.rss_before_mb:.0f} to {outcome.rss_after_mb:.0f} MB")
    faults += [f"log: {line}" for line in target.complaints()]
    stored = await target.stored()
    outcome.stored = len(stored)
    for name, body in stored.items():
        if name not in target.asked and body not in outcome.signed.get(name, set()):
            faults.append(f"stored, but never signed: {name} {body[:200]!r}")
    if not await target.is_well():
        faults.append("not well afterwards")
