"""The account that the demo gives of itself: steps with ticks and times, readable while it runs."""

import asyncio
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

GREEN, RED, DIM, BOLD, PLAIN = "32", "31", "2", "1", "0"


@dataclass
class Step:
    name: str
    ok: bool = False
    ms: int = 0
    is_skipped: bool = False
    is_interrupted: bool = False
    logs: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        return {"name": self.name, "ok": self.ok, "ms": self.ms} | ({"skipped": True} if self.is_skipped else {})


class Skipped(Exception):
    """The step can't be shown here; the message says why."""


class Account:
    def __init__(self, out: TextIO, *, is_coloured: bool) -> None:
        self._out = out
        self._is_coloured = is_coloured
        encoding = (getattr(out, "encoding", "") or "").lower()
        self._tick, self._cross, self._dash = ("✓", "✗", "–") if "utf" in encoding else ("ok", "FAILED", "-")
        self._began = time.monotonic()
        self._step_began: float | None = None
        self.steps: list[Step] = []

    @property
    def seconds(self) -> float:
        return round(time.monotonic() - self._began, 1)

    @property
    def failed(self) -> list[Step]:
        return [step for step in self.steps if not step.ok and not step.is_interrupted]

    def say(self, text: str = "") -> None:
        self._write(text)

    def title(self, text: str) -> None:
        self._write(self._in(BOLD, text))

    def detail(self, text: str) -> None:
        """Something on the way; within a step with the seconds since its beginning."""
        for number, line in enumerate(text.splitlines()):
            at = f"{time.monotonic() - self._step_began:5.1f} s" if self._step_began and not number else " " * 7
            self._write(self._in(DIM, f"  {at}  {line}"))

    def complain(self, text: str) -> None:
        for line in text.splitlines():
            self._write(self._in(RED, f"           {line}"))

    @contextmanager
    def step(self, name: str, title: str, logs: tuple[str, ...] = ()) -> Iterator[Step]:
        """A step that is ok if its block ends well. An error is said here and goes on to the caller."""
        step = Step(name, logs=logs)
        self.steps.append(step)
        self._write(f"  … {title}" if self._tick == "✓" else f"  ... {title}")
        began = self._step_began = time.monotonic()
        try:
            yield step
            step.ok = True
        except Skipped as reason:
            step.ok = step.is_skipped = True
            self.detail(str(reason))
        except (asyncio.CancelledError, KeyboardInterrupt):
            step.is_interrupted = True
            raise
        finally:
            self._step_began = None
            step.ms = round((time.monotonic() - began) * 1000)
            self._end(step, title)

    def addresses(self, places: Mapping[str, str]) -> None:
        width = max(len(what) for what in places)
        for what, where in places.items():
            self._write(f"  {what:<{width}}  {where}")

    def _end(self, step: Step, title: str) -> None:
        mark, colour = (self._tick, GREEN) if step.ok else (self._cross, RED)
        ended = f"{step.ms / 1000:.1f} s"
        if step.is_skipped or step.is_interrupted:
            mark, colour = self._dash, DIM
            ended = "left out" if step.is_skipped else "interrupted"
        self._write(f"  {self._in(colour, mark)} {title} {self._in(DIM, f'({ended})')}")

    def _in(self, colour: str, text: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[{PLAIN}m" if self._is_coloured else text

    def _write(self, line: str) -> None:
        encoding = getattr(self._out, "encoding", None) or "utf-8"
        self._out.write(line.encode(encoding, "replace").decode(encoding) + "\n")
        self._out.flush()


def is_coloured(out: TextIO) -> bool:
    """Colours for a person at a terminal who did not ask for none (no-color.org)."""
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def on_stdout() -> Account:
    return Account(sys.stdout, is_coloured=is_coloured(sys.stdout))
