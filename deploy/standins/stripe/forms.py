"""Stripe's bracketed forms: `metadata[order_id]=7&expand[]=customer` becomes nested hashes and lists."""

import re
from typing import Any
from urllib.parse import parse_qsl

from deploy.standins.stripe.errors import invalid

MAX_FIELDS = 1000
MAX_DEPTH = 6

_NAME = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
_BRACKET = re.compile(r"\[([^\[\]]*)\]")


def parse(body: str) -> dict[str, Any]:
    try:
        pairs = parse_qsl(body, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise invalid("The form cannot be read.") from error
    form: dict[str, Any] = {}
    for name, value in pairs:
        _put(form, _path(name), value, name)
    return {name: _lists(value) for name, value in form.items()}


def _path(name: str) -> list[str]:
    match = _NAME.match(name)
    if match is None:
        raise invalid(f"Invalid parameter name: {name}", param=name)
    path = [match[1], *_BRACKET.findall(match[2])]
    if len(path) > MAX_DEPTH:
        raise invalid(f"Parameter nested too deeply: {name}", param=name)
    return path


def _put(form: dict[str, Any], path: list[str], value: str, name: str) -> None:
    """An empty bracket appends: it takes the next free number."""
    place: dict[str, Any] = form
    for step in path[:-1]:
        inner = place.setdefault(step or str(len(place)), {})
        if not isinstance(inner, dict):
            raise invalid(f"Parameter given both as a value and as a hash: {name}", param=name)
        place = inner
    last = path[-1] or str(len(place))
    if isinstance(place.get(last), dict):
        raise invalid(f"Parameter given both as a value and as a hash: {name}", param=name)
    place[last] = value


def _lists(value: Any) -> Any:
    """A hash whose keys are 0, 1, 2 … is a list."""
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(part) for name, part in value.items()}
    if inner and all(name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner
