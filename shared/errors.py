"""Errors that carry their own answer, and their RFC 9457 problem documents.

The hierarchy:

    AppError                        500  internal
     ├── BadRequest                 400  bad_request
     ├── Unauthorized               401  unauthorized
     ├── Forbidden                  403  forbidden
     ├── NotFound                   404  not_found                may pass later (events overtake each other)
     ├── Conflict                   409  conflict
     ├── TooLarge                   413  too_large
     ├── UnsupportedMediaType       415  unsupported_media_type
     ├── Invalid                    422  invalid_request
     ├── TooManyRequests            429  too_many_requests        may pass later
     └── Unavailable                503  unavailable              may pass later

Services subclass these next to the rule that raises them. Two places translate them: the `errors` middleware
of `shared.web` (into a problem document) and the bus (retry, or bury). Anything else that is raised is a bug.
The detail is shown to the caller: it never holds a secret, a card number or what the caller sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

PROBLEM_JSON = "application/problem+json"


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field; `field` is a dotted path such as `lines.0.quantity`."""

    field: str
    detail: str


class AppError(Exception):
    """Something the caller can be told about. `may_pass_later` says that trying again can help."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on our side"
    may_pass_later: ClassVar[bool] = False
    # What else the document says, by names of its own (RFC 9457, "extension members").
    members: Mapping[str, Any] = MappingProxyType({})

    def __init__(
        self,
        detail: str = "",
        *,
        field: str | None = None,
        errors: Sequence[FieldError] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        own = (FieldError(field, self.detail),) if field is not None else ()
        self.errors: tuple[FieldError, ...] = own + tuple(errors)
        self.retry_after_s = retry_after_s


class BadRequest(AppError):
    status = 400
    code = "bad_request"
    title = "The request cannot be read"


class Unauthorized(AppError):
    status = 401
    code = "unauthorized"
    title = "Credentials are missing or not valid"


class Forbidden(AppError):
    status = 403
    code = "forbidden"
    title = "This is not allowed"


class NotFound(AppError):
    status = 404
    code = "not_found"
    title = "There is nothing here"
    may_pass_later = True  # for consumers: the event that creates the thing may still be on its way


class Conflict(AppError):
    status = 409
    code = "conflict"
    title = "This contradicts the current state"


class TooLarge(AppError):
    status = 413
    code = "too_large"
    title = "The request is too large"


class UnsupportedMediaType(AppError):
    status = 415
    code = "unsupported_media_type"
    title = "This media type is not accepted"


class Invalid(AppError):
    status = 422
    code = "invalid_request"
    title = "The request has fields that are not valid"


class TooManyRequests(AppError):
    status = 429
    code = "too_many_requests"
    title = "Too many requests"
    may_pass_later = True


class Unavailable(AppError):
    status = 503
    code = "unavailable"
    title = "This is not available right now"
    may_pass_later = True


def problem(error: AppError, request_id: str) -> dict[str, Any]:
    """The RFC 9457 document of an error; the type is a name that stays stable, not an address to visit."""
    return {
        **error.members,
        "type": f"urn:kct:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id,
        "errors": [{"field": each.field, "detail": each.detail} for each in error.errors],
    }
