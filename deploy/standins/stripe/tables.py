"""Objects of one kind, in the order they were made, and Stripe's pages over them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from deploy.standins.stripe import errors

Json = dict[str, Any]
Matches = Callable[[Json], bool]


class Table:
    """`indexed` fields never change once a row is there; filtering by them doesn't look at other rows."""

    def __init__(self, noun: str, param: str, indexed: tuple[str, ...] = ()) -> None:
        self.noun = noun
        self._param = param
        self._rows: dict[str, Json] = {}
        self._order: list[str] = []
        self._place: dict[str, int] = {}
        self._index: dict[str, dict[str | None, list[int]]] = {name: {} for name in indexed}

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Json]:
        return iter(self._rows.values())

    def add(self, row: Json) -> Json:
        place = self._place[row["id"]] = len(self._order)
        self._order.append(row["id"])
        self._rows[row["id"]] = row
        for name, places in self._index.items():
            places.setdefault(row[name], []).append(place)
        return row

    def get(self, row_id: str | None) -> Json | None:
        return self._rows.get(row_id) if row_id is not None else None

    def find(self, row_id: str, param: str | None = None) -> Json:
        row = self._rows.get(row_id)
        if row is None:
            raise errors.missing_object(self.noun, row_id, param or self._param)
        return row

    def among(self, name: str, value: str) -> list[Json]:
        """The rows whose indexed field has the value, oldest first."""
        return [self._rows[self._order[place]] for place in self._index[name].get(value, ())]

    def newest(self, count: int) -> list[Json]:
        return [self._rows[row_id] for row_id in reversed(self._order[-count:])]

    def page(self, url: str, values: Json, matches: Matches | None = None, wanted: Json | None = None) -> Json:
        """Newest first, as Stripe lists; `ending_before` gives the page just before that object."""
        limit = values.get("limit", 10)
        if values.get("starting_after") and values.get("ending_before"):
            raise errors.invalid("Give only one of starting_after and ending_before.", param="ending_before")
        wanted = {name: value for name, value in (wanted or {}).items() if value is not None}
        created = values.get("created") or {}
        rows: list[Json] = []
        for row in self._walk(values, wanted):
            if (matches is None or matches(row)) and _is_within(row["created"], created) and _has(row, wanted):
                rows.append(row)
            if len(rows) > limit:
                break
        has_more = len(rows) > limit
        rows = rows[:limit]
        if values.get("ending_before"):
            rows.reverse()
        return {"object": "list", "data": rows, "has_more": has_more, "url": url}

    def _walk(self, values: Json, wanted: Json) -> Iterator[Json]:
        """From the newest back, or from the cursor forward when the page before it is wanted."""
        places = self._places(wanted)
        if values.get("ending_before"):
            cursor = self._cursor(values, "ending_before")
            yield from (self._rows[self._order[place]] for place in places if place > cursor)
            return
        start = self._cursor(values, "starting_after") if values.get("starting_after") else len(self._order)
        since = (values.get("created") or {}).get("gte", 0)
        for place in reversed(places if isinstance(places, list) else places[:start]):
            row = self._rows[self._order[place]]
            if row["created"] < since:
                return  # everything further back is older still
            if place < start:
                yield row

    def _places(self, wanted: Json) -> Sequence[int]:
        for name, places in self._index.items():
            if name in wanted:
                return places.get(wanted[name], [])
        return range(len(self._order))

    def _cursor(self, values: Json, name: str) -> int:
        self.find(values[name], name)
        return self._place[values[name]]


def _has(row: Json, wanted: Json) -> bool:
    return all(row[name] == value for name, value in wanted.items())


def _is_within(moment: int, bounds: dict[str, int]) -> bool:
    return (
        moment > bounds.get("gt", -1)
        and moment >= bounds.get("gte", 0)
        and moment < bounds.get("lt", moment + 1)
        and moment <= bounds.get("lte", moment)
    )
