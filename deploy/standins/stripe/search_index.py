"""What search knows: objects as they were a while ago, as Stripe's search lags behind its lists."""

from collections import deque
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]

SEARCHED = ("amount", "created", "currency", "customer", "email", "name", "status")
NOUNS = ("payment_intent", "charge", "customer")
AT_EACH_WRITE = 4  # keeps up with the writing, so that no search has to wait for all of it


class SearchIndex:
    def __init__(self, time: Callable[[], float], lag_s: Callable[[], float]) -> None:
        self._time = time
        self._lag_s = lag_s
        self._coming: deque[tuple[float, Json]] = deque()
        self._known: dict[str, dict[str, Json]] = {noun: {} for noun in NOUNS}
        # Metadata is what one searches by; the rest is looked through.
        self._by_metadata: dict[tuple[str, str, str], dict[str, None]] = {}

    def note(self, thing: Json) -> None:
        if thing["object"] in self._known:
            seen = {name: thing.get(name) for name in ("id", "object", *SEARCHED)}
            self._coming.append((self._time(), {**seen, "metadata": dict(thing["metadata"])}))
            self._catch_up(most=AT_EACH_WRITE)

    def rows(self, noun: str, metadata: tuple[str, str] | None) -> list[Json]:
        """What is known by now, newest first; only those with this metadata, if it is given."""
        self._catch_up()
        known = self._known[noun]
        if metadata is None:
            return list(reversed(known.values()))
        ids = self._by_metadata.get((noun, *metadata), {})
        return sorted((known[one] for one in reversed(ids)), key=lambda row: -row["created"])

    def _catch_up(self, most: int | None = None) -> None:
        until, done = self._time() - self._lag_s(), 0
        while self._coming and self._coming[0][0] <= until and done != most:
            done += 1
            row = self._coming.popleft()[1]
            noun, row_id = row["object"], row["id"]
            for key, value in self._known[noun].get(row_id, {"metadata": {}})["metadata"].items():
                self._by_metadata[noun, key, value].pop(row_id, None)
            for key, value in row["metadata"].items():
                self._by_metadata.setdefault((noun, key, value), {})[row_id] = None
            self._known[noun][row_id] = row
