"""Whatever goes wrong, as a problem document. What is our own fault is logged once, and not shown."""

import errno
import logging
import math
import socket

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from shared.db import is_database_away, is_in_the_way
from shared.errors import (
    PROBLEM_JSON,
    AppError,
    BadRequest,
    Forbidden,
    NotFound,
    TooLarge,
    Unavailable,
    UnsupportedMediaType,
    problem,
)
from shared.web.keys import REQUEST_ID

log = logging.getLogger(__name__)


class DatabaseAway(Unavailable):
    code = "database_away"
    title = "This is not available right now; nothing is lost"


class InTheWay(Unavailable):
    code = "others_in_the_way"
    title = "Others were changing the same; send it again"


class MethodNotAllowed(AppError):
    status = 405
    code = "method_not_allowed"
    title = "This method is not available here"


_OURS: dict[int, type[AppError]] = {
    each.status: each for each in (Forbidden, NotFound, MethodNotAllowed, TooLarge, UnsupportedMediaType)
}


def problem_response(error: AppError, request_id: str) -> web.Response:
    headers = {}
    if error.retry_after_s is not None:
        headers[hdrs.RETRY_AFTER] = str(max(1, math.ceil(error.retry_after_s)))
    if error.status == 401:
        headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
    body = orjson.dumps(problem(error, request_id))
    return web.Response(status=error.status, body=body, content_type=PROBLEM_JSON, headers=headers)


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except AppError as error:
        if error.status == 500:
            log.exception("request failed")
        return _answer(request, error)
    except web.HTTPException as error:
        return _from_aiohttp(request, error)
    except Exception as error:
        if isinstance(error, ConnectionError) and request.transport is None:
            raise  # the client left; there is nobody to answer
        return _answer(request, _unexpected(error))


def _unexpected(error: Exception) -> AppError:
    if is_database_away(error) and not (isinstance(error, OSError) and not is_of_network(error)):
        log.warning("database away", extra={"reason": type(error).__name__})
        return DatabaseAway(retry_after_s=1)
    if is_in_the_way(error):
        log.warning("others in the way", extra={"reason": type(error).__name__})
        return InTheWay(retry_after_s=1)
    log.error("request failed", exc_info=error)
    return AppError()


def is_of_network(error: OSError) -> bool:
    """Whether it says that a host can't be reached; a missing file is an OSError too, and no outage.

    In a network of containers the name or the address of one that is stopped is gone, and nothing refuses us.
    """
    unreachable = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}
    return isinstance(error, ConnectionError | TimeoutError | socket.gaierror) or error.errno in unreachable


def _answer(request: web.Request, error: AppError) -> web.Response:
    if request.writer.output_size > 0:
        # Half an answer is out already: it is cut, so that nobody takes it for a whole one.
        raise ConnectionResetError("answer cut short")
    return problem_response(error, request[REQUEST_ID])


def _from_aiohttp(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    """aiohttp's own refusals (404, 405, 413 …) in our shape; redirects stay what they are."""
    if error.status < 400:
        raise error
    fallback = BadRequest if error.status < 500 else AppError
    response = problem_response(_OURS.get(error.status, fallback)(), request[REQUEST_ID])
    if hdrs.ALLOW in error.headers:
        response.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
    return response
