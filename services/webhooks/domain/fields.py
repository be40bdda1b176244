"""Reading JSON that somebody else wrote: what is not of the expected shape counts as not given."""

import re
from collections.abc import Mapping
from typing import Any

NAME = re.compile(r"[\x21-\x7e]{1,255}")


def subject(event: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(mapping(event.get("data")).get("object"))


def mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def name(value: object) -> str | None:
    """An id, a code or the like; anything that is not short printable ASCII counts as not given."""
    return value if isinstance(value, str) and NAME.fullmatch(value) else None
