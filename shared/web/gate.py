"""Who gets through to a handler: whom its `@permit` names; without one, nobody."""

from aiohttp import web
from aiohttp.typedefs import Handler

from shared.errors import Forbidden, Unauthorized
from shared.metrics import HTTP_REFUSED
from shared.permissions import Permission, permission_of
from shared.web.address import is_in
from shared.web.keys import CLIENT_ADDRESS, SETTINGS
from shared.web.staff import admit


class NotPermitted(Forbidden):
    code = "not_permitted"
    title = "This is open to nobody"


class InternalOnly(Forbidden):
    code = "internal_only"
    title = "This is open to our own network only"


@web.middleware
async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.match_info.http_exception is None:  # an unknown path has nothing to guard, and stays a 404
        try:
            await _check(request)
        except (Forbidden, Unauthorized):
            HTTP_REFUSED.labels(reason="permission").inc()
            raise
    return await handler(request)


async def _check(request: web.Request) -> None:
    handler = request.match_info.handler
    permission = permission_of(handler)
    if permission is None:
        raise NotPermitted
    if permission is Permission.STAFF:
        await admit(request, handler)
    if permission is Permission.INTERNAL and not is_internal(request):
        raise InternalOnly
    # PUBLIC is open. ORDER_TOKEN, CUSTOMER and STRIPE_SIGNATURE are verified by handlers, which know order and body.


def is_internal(request: web.Request) -> bool:
    """Whether the client is in our own network."""
    return is_in(request[CLIENT_ADDRESS], request.app[SETTINGS].internal_networks)
