"""One event of every type, made from its fields, so that a new type is covered the day it is added."""

import types
import typing
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from shared import events

VALUES: dict[Any, Any] = {
    str: "text",
    int: 7,
    bool: False,
    float: 0.5,
    UUID: UUID(int=7),
    datetime: datetime(2026, 3, 2, 12, tzinfo=UTC),
}


def one_of_each() -> list[events.Event]:
    return [_make(each, leave_out={"id", "occurred_at"}) for each in events.EVENTS.values()]


def _make(model: Any, leave_out: set[str] = frozenset()) -> Any:
    fields = {name: _value(field.annotation) for name, field in model.model_fields.items() if name not in leave_out}
    return model(**fields)


def _value(annotation: Any) -> Any:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return arguments[0]
    if origin in (typing.Union, types.UnionType):
        return _value(arguments[0])
    if origin is tuple:
        return (_value(arguments[0]),)
    if origin is dict:
        return {_value(arguments[0]): _value(arguments[1])}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _make(annotation)
    return VALUES[annotation]
