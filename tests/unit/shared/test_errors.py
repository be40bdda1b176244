"""Errors and the documents they turn into."""

import pytest

from shared import errors
from shared.errors import AppError, FieldError, Invalid, NotFound, problem


@pytest.mark.parametrize(
    ("error", "status", "may_pass_later"),
    [
        (AppError, 500, False),
        (errors.BadRequest, 400, False),
        (errors.Unauthorized, 401, False),
        (errors.Forbidden, 403, False),
        (errors.NotFound, 404, True),
        (errors.Conflict, 409, False),
        (errors.TooLarge, 413, False),
        (errors.UnsupportedMediaType, 415, False),
        (errors.Invalid, 422, False),
        (errors.TooManyRequests, 429, True),
        (errors.Unavailable, 503, True),
    ],
)
def test_each_error_knows_its_status_and_whether_trying_again_helps(
    error: type[AppError], status: int, may_pass_later: bool
) -> None:
    assert (error.status, error.may_pass_later) == (status, may_pass_later)
    assert error.code in (errors.__doc__ or "")


def test_a_problem_has_the_members_of_rfc_9457_and_ours() -> None:
    error = Invalid("see errors", errors=[FieldError("lines.0.quantity", "has to be at least 1")])
    assert problem(error, "r-1") == {
        "type": "urn:kct:problem:invalid_request",
        "title": "The request has fields that are not valid",
        "status": 422,
        "detail": "see errors",
        "code": "invalid_request",
        "request_id": "r-1",
        "errors": [{"field": "lines.0.quantity", "detail": "has to be at least 1"}],
    }


def test_an_error_about_one_field_names_it() -> None:
    assert NotFound("no such order", field="id").errors == (FieldError("id", "no such order"),)


def test_an_error_without_words_says_its_title() -> None:
    assert str(NotFound()) == "There is nothing here"


def test_a_subclass_has_its_own_code() -> None:
    class OutOfStock(errors.Conflict):
        code = "out_of_stock"
        title = "That is sold out"

    assert problem(OutOfStock("blue, M"), "r")["type"] == "urn:kct:problem:out_of_stock"
