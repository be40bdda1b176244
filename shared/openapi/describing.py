"""What a handler says of itself, beside `permit`: a body in, bodies out, parameters, and the problems it may raise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from pydantic import BaseModel

from shared.errors import AppError
from shared.openapi.parameters import Parameter

_ATTRIBUTE = "__kct_description__"
_REFUSALS = "__kct_refusals__"

H = TypeVar("H", bound=Callable[..., object])
Problem: TypeAlias = type[AppError]


@dataclass(frozen=True, slots=True)
class Content:
    """A body other than a model as JSON; `of` is what a form, or each message of a stream, holds."""

    media_type: str
    of: type[BaseModel] | None = None


HTML = Content("text/html")
FORM = "application/x-www-form-urlencoded"


def form_of(model: type[BaseModel]) -> Content:
    """A form as browsers send one."""
    return Content(FORM, of=model)


Body: TypeAlias = type[BaseModel] | Content | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A body with headers of its own; `headers` says what each means."""

    body: Body = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Redirect:
    """No body, and `Location` says where to go on."""

    to: str


Gives: TypeAlias = Mapping[int, type[BaseModel] | Content | Answer | Redirect | None]


@dataclass(frozen=True, slots=True)
class Description:
    """What `describe` was told."""

    gives: Mapping[int, Answer]
    takes: Body
    asks: tuple[Parameter, ...]
    problems: tuple[Problem, ...]


def describe(
    gives: Gives,
    *,
    takes: Body = None,
    asks: tuple[Parameter, ...] = (),
    problems: tuple[Problem, ...] = (),
) -> Callable[[H], H]:
    """Declare a handler's bodies by status, its parameters, and the problems that it raises itself.

    What every route may answer, and what comes with the permission, the parameters and a JSON body, is derived.
    """
    answers = {status: _answer(body) for status, body in gives.items()}

    def declare(handler: H) -> H:
        setattr(handler, _ATTRIBUTE, Description(answers, takes, asks, problems))
        return handler

    return declare


def description_of(handler: object) -> Description | None:
    """What the handler declares; None for one that says nothing."""
    declared = getattr(handler, _ATTRIBUTE, None)
    return declared if isinstance(declared, Description) else None


def refuses(*problems: Problem) -> Callable[[H], H]:
    """Declare what a guard of the app may answer in place of any handler."""

    def declare(guard: H) -> H:
        setattr(guard, _REFUSALS, problems)
        return guard

    return declare


def refusals_of(guard: object) -> tuple[Problem, ...]:
    """What the guard declares."""
    return getattr(guard, _REFUSALS, ())


def _answer(body: type[BaseModel] | Content | Answer | Redirect | None) -> Answer:
    if isinstance(body, Redirect):
        return Answer(headers={"Location": f"`{body.to}`"})
    return body if isinstance(body, Answer) else Answer(body)
