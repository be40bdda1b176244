"""The routes of a signed-in shopper, and how he is known: by a short-lived token that the shop has signed."""

from aiohttp import web

from services.checkout.actions import customers
from services.checkout.domain import InProgress, Shopper
from services.checkout.handlers.keys import TILL
from services.checkout.handlers.parameters import PAYMENT_METHOD
from services.checkout.schemas import SavedCardsOut
from services.checkout.stripe_api import OutcomeUnknown, StripeBusy, StripeDenied, StripeDown, StripeRefused
from shared import shopper_tokens
from shared.errors import NotFound, Unauthorized
from shared.openapi import describe
from shared.permissions import Permission, permit
from shared.web import reply


class SignInRequired(Unauthorized):
    code = "sign_in_required"
    title = "This is for shoppers who are signed in: send the shop's token for them as `Authorization: Bearer …`"


class SignInRejected(Unauthorized):
    code = "sign_in_rejected"
    title = "The shop's token for the shopper is not valid, or its time is over"


routes = web.RouteTableDef()

SIGN_IN_PROBLEMS = (SignInRequired, SignInRejected)
STRIPE_PROBLEMS = (StripeRefused, StripeBusy, StripeDenied, StripeDown, OutcomeUnknown)


@routes.get("/v1/payment-methods")
@permit(Permission.CUSTOMER)
@describe({200: SavedCardsOut}, problems=(*SIGN_IN_PROBLEMS, *STRIPE_PROBLEMS))
async def list_payment_methods(request: web.Request) -> web.Response:
    """The cards that the shopper has had kept: brand, last four digits and expiry."""
    shopper = require_signed_in(request)
    till = request.app[TILL]
    return reply(SavedCardsOut.of(await customers.list_cards(till.pool, till.stripe, shopper)))


@routes.delete("/v1/payment-methods/{id}")
@permit(Permission.CUSTOMER)
@describe(
    {204: None},
    asks=(PAYMENT_METHOD,),
    problems=(*SIGN_IN_PROBLEMS, NotFound, InProgress, *STRIPE_PROBLEMS),
)
async def delete_payment_method(request: web.Request) -> web.Response:
    """Lets go of a saved card for good."""
    shopper = require_signed_in(request)
    till = request.app[TILL]
    await customers.delete_card(till.pool, till.stripe, till.settings, shopper, PAYMENT_METHOD.of(request))
    return web.Response(status=204)


def signed_in(request: web.Request) -> Shopper | None:
    """Who the shop says it is; None without a token, and in a shop without accounts. Raises SignInRejected."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    settings = request.app[TILL].settings
    keys = settings.shopper_keys
    if scheme.lower() != "bearer" or not keys:
        return None
    audience, longest_s = settings.customer_audience, settings.customer_token_s
    try:
        return Shopper(shopper_tokens.subject_of(keys, token.strip(), audience, longest_s))
    except shopper_tokens.TokenRejected:
        raise SignInRejected from None


def require_signed_in(request: web.Request) -> Shopper:
    """As signed_in; raises SignInRequired when nobody is."""
    shopper = signed_in(request)
    if shopper is None:
        raise SignInRequired
    return shopper
