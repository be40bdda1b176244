"""Objects of one kind, in the order they were made, and Stripe's pages over them."""

from collections.abc import Callable, Iterator
from typing import Any

from deploy.standins.stripe import errors

Json = dict[str, Any]


class Table:
    def __init__(self, noun: str, param: str) -> None:
        self.noun = noun
        self._param = param
        self._rows: dict[str, Json] = {}
        self._order: list[str] = []
        self._place: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Json]:
        return iter(self._rows.values())

    def add(self, row: Json) -> Json:
        self._place[row["id"]] = len(self._order)
        self._order.append(row["id"])
        self._rows[row["id"]] = row
        return row

    def get(self, row_id: str | None) -> Json | None:
        return self._rows.get(row_id) if row_id is not None else None

    def find(self, row_id: str, param: str | None = None) -> Json:
        row = self._rows.get(row_id)
        if row is None:
            raise errors.missing_object(self.noun, row_id, param or self._param)
        return row

    def newest(self, count: int) -> list[Json]:
        return [self._rows[row_id] for row_id in reversed(self._order[-count:])]

    def page(self, url: str, values: Json, matches: Callable[[Json], bool] | None = None) -> Json:
        """Newest first, as Stripe lists; `ending_before` gives the page just before that object."""
        limit = values.get("limit", 10)
        if values.get("starting_after") and values.get("ending_before"):
            raise errors.invalid("Give only one of starting_after and ending_before.", param="ending_before")
        created = values.get("created") or {}
        rows: list[Json] = []
        for row in self._walk(values):
            if (matches is None or matches(row)) and _is_within(row["created"], created):
                rows.append(row)
            if len(rows) > limit:
                break
        has_more = len(rows) > limit
        rows = rows[:limit]
        if values.get("ending_before"):
            rows.reverse()
        return {"object": "list", "data": rows, "has_more": has_more, "url": url}

    def _walk(self, values: Json) -> Iterator[Json]:
        if values.get("ending_before"):
            places = range(self._cursor(values, "ending_before") + 1, len(self._order))
        elif values.get("starting_after"):
            places = range(self._cursor(values, "starting_after") - 1, -1, -1)
        else:
            places = range(len(self._order) - 1, -1, -1)
        since = (values.get("created") or {}).get("gte", 0)
        for place in places:
            row = self._rows[self._order[place]]
            if row["created"] < since and places.step < 0:
                return  # everything further back is older still
            yield row

    def _cursor(self, values: Json, name: str) -> int:
        self.find(values[name], name)
        return self._place[values[name]]


def _is_within(moment: int, bounds: dict[str, int]) -> bool:
    return (
        moment > bounds.get("gt", -1)
        and moment >= bounds.get("gte", 0)
        and moment < bounds.get("lt", moment + 1)
        and moment <= bounds.get("lte", moment)
    )
