"""The guard's place in a request: behind the log, before anything is read of a body."""

import time

from aiohttp import web
from aiohttp.typedefs import Handler

from services.webhooks import domain
from services.webhooks.actions.guarding import AddressBanned
from services.webhooks.domain.threats import Kind
from services.webhooks.handlers.keys import COUNTED, GUARD, WEBHOOKS
from shared.errors import TooManyRequests
from shared.openapi import refuses
from shared.permissions import Permission, permission_of
from shared.web import CLIENT_ADDRESS
from shared.web.observe import QUIET_ROUTES, route_of


@refuses(AddressBanned, TooManyRequests)
@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses at once what can't be Stripe's and comes from who is banned or asks too often.

    What carries a well-formed, fresh signature goes on to be verified, whoever it comes from: what is Stripe's is
    never limited. If it then isn't, the handler counts and refuses it in the same way.
    """
    if request.match_info.http_exception is not None:
        request.app[GUARD].refuse_stranger(Kind.SCANNING, request[CLIENT_ADDRESS])
    elif permission_of(request.match_info.handler) is Permission.STRIPE_SIGNATURE:
        if not _may_be_stripes(request):
            request[COUNTED] = True
            request.app[GUARD].refuse_stranger(Kind.BAD_SIGNATURE, request[CLIENT_ADDRESS])
    elif route_of(request) not in QUIET_ROUTES:
        request.app[GUARD].refuse_banned(request[CLIENT_ADDRESS])
    return await handler(request)


def _may_be_stripes(request: web.Request) -> bool:
    signatures = request.headers.getall("Stripe-Signature", ())
    return domain.may_be_signed(signatures, request.app[WEBHOOKS].tolerance_s, time.time())
