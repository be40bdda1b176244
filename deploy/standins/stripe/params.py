"""Reads a request's parameters against what the endpoint takes; refuses unknown, missing and invalid ones."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deploy.standins.stripe import errors

Reader = Callable[[Any, str], Any]

MAX_METADATA_KEYS = 50


@dataclass(frozen=True, slots=True)
class Spec:
    fields: dict[str, Reader]
    required: tuple[str, ...] = ()


def read(form: dict[str, Any], spec: Spec, prefix: str = "") -> dict[str, Any]:
    """Only what was given is in the result; None means: unset it."""
    for name in form:
        if name not in spec.fields:
            raise errors.unknown_parameter(_inside(prefix, name))
    for name in spec.required:
        if name not in form:
            raise errors.missing_parameter(_inside(prefix, name))
        if form[name] == "":
            raise errors.empty_parameter(_inside(prefix, name))
    return {name: spec.fields[name](value, _inside(prefix, name)) for name, value in form.items()}


def _inside(prefix: str, name: str) -> str:
    return f"{prefix}[{name}]" if prefix else name


def text(max_length: int = 5000) -> Reader:
    def reader(value: Any, param: str) -> str | None:
        if not isinstance(value, str):
            raise errors.invalid(f"Invalid string: {param}", param=param)
        if len(value) > max_length:
            raise errors.invalid(f"Invalid string: {param} must be at most {max_length} characters", param=param)
        return value or None

    return reader


def choice(*allowed: str) -> Reader:
    def reader(value: Any, param: str) -> str:
        if value == "":
            raise errors.empty_parameter(param)
        if value not in allowed:
            #
            raise errors.invalid(f"Invalid {param}: must be one of {', '.join(allowed)}", param=param)
        return str(value)

    return reader


def integer(minimum: int | None = None, maximum: int | None = None) -> Reader:
    def reader(value: Any, param: str) -> int:
        if value == "":
            raise errors.empty_parameter(param)
        digits = value.removeprefix("-") if isinstance(value, str) else ""
        # str.isdigit() accepts superscripts and other scripts' digits; the wire format is ASCII.
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
            raise _bad_integer(f"Invalid integer: {value}", param)
        number = int(value)
        if minimum is not None and number < minimum:
            raise _bad_integer(f"This value must be greater than or equal to {minimum}.", param)
        if maximum is not None and number > maximum:
            raise _bad_integer(f"This value must be less than or equal to {maximum}.", param)
        return number

    return reader


def _bad_integer(message: str, param: str) -> errors.Refusal:
    return errors.invalid(message, param=param, code="parameter_invalid_integer")


def flag(value: Any, param: str) -> bool:
    if value not in ("true", "false"):  # a tuple: the value may be a list, which a set cannot look up
        raise errors.invalid(f"Invalid boolean: {value}", param=param)
    return bool(value == "true")


def nested(fields: dict[str, Reader], required: tuple[str, ...] = ()) -> Reader:
    spec = Spec(fields, required)

    def reader(value: Any, param: str) -> dict[str, Any] | None:
        if value == "":
            return None
        if not isinstance(value, dict):
            raise errors.invalid(f"Invalid hash: {param}", param=param)
        return read(value, spec, param)

    return reader


def many(inner: Reader, most: int = 20) -> Reader:
    def reader(value: Any, param: str) -> list[Any]:
        if not isinstance(value, list):
            raise errors.invalid(f"Invalid array: {param}", param=param)
        if len(value) > most:
            raise errors.invalid(f"Invalid array: {param} holds more than {most} elements", param=param)
        return [inner(part, f"{param}[{place}]") for place, part in enumerate(value)]

    return reader


def metadata(value: Any, param: str) -> dict[str, str]:
    """Values that are empty strings delete their key; an empty string for the whole deletes all of them."""
    if value == "":
        return {}
    if isinstance(value, list):
        value = {str(place): part for place, part in enumerate(value)}
    if not isinstance(value, dict) or not all(isinstance(part, str) for part in value.values()):
        raise errors.invalid("Invalid metadata: must be a hash of strings", param=param)
    if len(value) > MAX_METADATA_KEYS:
        raise errors.invalid("Metadata holds at most 50 keys", param=param)
    for key, part in value.items():
        if len(key) > 40 or len(part) > 500:
            raise errors.invalid("Metadata keys hold at most 40 characters and values 500", param=f"{param}[{key}]")
    return value


def merge_metadata(old: dict[str, str], given: dict[str, str]) -> dict[str, str]:
    if not given:
        return {}
    merged = {**old, **given}
    return {key: value for key, value in merged.items() if value != ""}


def time_range(value: Any, param: str) -> dict[str, int]:
    if not isinstance(value, dict):
        moment = integer(0)(value, param)
        return {"gte": moment, "lte": moment}
    bound = integer(0)
    return read(value, Spec({"gt": bound, "gte": bound, "lt": bound, "lte": bound}), param)


ADDRESS = nested({name: text() for name in ("city", "country", "line1", "line2", "postal_code", "state")})
PHONE = text(20)
SHIPPING = nested(
    {"address": ADDRESS, "name": text(), "phone": PHONE, "carrier": text(), "tracking_number": text()},
    required=("address", "name"),
)
EXPAND = many(text())
PAGE: dict[str, Reader] = {
    "limit": integer(1, 100),
    "starting_after": text(),
    "ending_before": text(),
    "created": time_range,
    "expand": EXPAND,
}
