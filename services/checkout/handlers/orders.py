"""The routes of a customer: what there is and what it costs, an order, how it stands."""

import asyncio
import contextlib
import random
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network
from uuid import UUID

from aiohttp import web

from services.checkout import pages
from services.checkout.actions import catalogue, orders, payments, pricing
from services.checkout.actions.customers import UnknownCard
from services.checkout.actions.live import Live, TooManyWatch, Watch
from services.checkout.actions.orders import Placed, Till
from services.checkout.domain import InProgress, KeyReused, NotServed, OutOfStock, PriceChanged, WholeOrder
from services.checkout.domain.card_testing import TooManyAttempts
from services.checkout.handlers.customers import SIGN_IN_PROBLEMS, require_signed_in, signed_in
from services.checkout.handlers.keys import LIVE, TILL
from services.checkout.handlers.parameters import CURRENCY, IDEMPOTENCY_KEY, LAST_EVENT_ID, ORDER_ID
from services.checkout.schemas import AskQuote, OrderOut, PlacedOrder, PlaceOrder, ProductsOut, QuoteOut
from services.checkout.stripe_api import OutcomeUnknown, StripeBusy, StripeDenied, StripeDown, StripeRefused
from shared import links
from shared.errors import BadRequest, Forbidden, Invalid, NotFound, Unauthorized
from shared.openapi import HTML, Answer, Content, describe
from shared.permissions import Permission, permit
from shared.web import CLIENT_ADDRESS, is_in, parse, path_uuid, reply
from shared.web.address import UNKNOWN, household

ORDER_TOKEN = "order"  # noqa: S105 (the purpose of a token, not one)
MAIL_LINK = "mail"

COOKIE_AGE_S = 30 * 24 * 3600

# A client that takes nothing for this long is gone or stuck; its place is for somebody else.
SLOW_CLIENT_S = 5.0
# A stream ends after this long: its page comes back at once, and has to show its token again.
LONGEST_STREAM_S = 1800.0
STREAM_HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}

# Addresses that no customer comes from over the internet (RFC 1918, 4193, 6598, 3927, 4291).
PRIVATE = tuple(
    ip_network(network)
    for network in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),
        *("fc00::/7", "fe80::/10", "::1/128"),
    )
)


class TokenMissing(Unauthorized):
    code = "order_token_missing"


class TokenWrong(Forbidden):
    code = "order_token_wrong"


routes = web.RouteTableDef()

TOKEN_PROBLEMS = (TokenMissing, TokenWrong, NotFound)
PAYMENT_PROBLEMS = (StripeRefused, StripeBusy, StripeDenied, StripeDown, OutcomeUnknown)


@routes.get("/v1/products")
@permit(Permission.PUBLIC)
@describe({200: ProductsOut}, asks=(CURRENCY,))
async def list_products(request: web.Request) -> web.Response:
    """What is on sale in a currency, with what is available."""
    return reply(await catalogue.list_products(request.app[TILL].pool, CURRENCY.of(request)))


@routes.post("/v1/quote")
@permit(Permission.PUBLIC)
@describe({200: QuoteOut}, takes=AskQuote, problems=(NotServed,))
async def quote(request: web.Request) -> web.Response:
    """The total, with delivery and tax, before anything is ordered."""
    asked = await parse(request, AskQuote)
    try:
        return reply(QuoteOut.of(await pricing.quote(request.app[TILL].pool, asked.basket())))
    except Invalid as error:  # it names fields of an order, whose address is a part of it
        error.errors = tuple(replace(each, field=each.field.removeprefix("shipping_address.")) for each in error.errors)
        raise


@routes.post("/v1/orders")
@permit(Permission.PUBLIC)
@describe(
    {201: Answer(PlacedOrder, {"Idempotent-Replayed": "`true` where the order was there before"})},
    takes=PlaceOrder,
    asks=(IDEMPOTENCY_KEY,),
    problems=(
        NotServed,
        PriceChanged,
        OutOfStock,
        KeyReused,
        InProgress,
        TooManyAttempts,
        UnknownCard,
        *SIGN_IN_PROBLEMS,
        *PAYMENT_PROBLEMS,
    ),
)
async def place_order(request: web.Request) -> web.Response:
    """Places an order and prepares its payment.

    The price is ours. Confirm the PaymentIntent with Stripe.js and the `client_secret`. On 503, on a timeout and on 409
    `in_progress` send the same request with the same `Idempotency-Key` again: it can't order twice.

    A shopper who is signed in comes with the shop's token for him; keeping a card or paying with a kept one takes that.
    """
    key = IDEMPOTENCY_KEY.of(request)
    wanted = await parse(request, PlaceOrder)
    till = request.app[TILL]
    shopper = require_signed_in(request) if wanted.needs_sign_in() else signed_in(request)
    placed = await orders.place_order(till, wanted, key, shopper, _client(request))
    headers = {"Idempotent-Replayed": "true"} if placed.is_replay else None
    answer = _placed(till, placed)
    response = reply(answer, status=201, headers=headers)
    _remember_token(response, answer)
    return response


def _client(request: web.Request) -> str | None:
    """Whom failures are counted against; nobody where it isn't a customer's address, but a proxy's not told of."""
    address = request[CLIENT_ADDRESS]
    is_inside = is_in(address, (*PRIVATE, *request.app[TILL].settings.internal_networks))
    return None if is_inside or address == UNKNOWN else household(address)


@routes.get("/v1/orders/{id}")
@permit(Permission.ORDER_TOKEN)
@describe({200: OrderOut}, asks=(ORDER_ID,), problems=TOKEN_PROBLEMS)
async def show_order(request: web.Request) -> web.Response:
    """An order as its customer sees it."""
    return reply(OrderOut.of(await _own_order(request)))


# A HEAD would never end.
@routes.get("/v1/orders/{id}/events", allow_head=False)
@permit(Permission.ORDER_TOKEN)
@describe(
    {200: Content("text/event-stream", of=OrderOut)},
    asks=(ORDER_ID, LAST_EVENT_ID),
    problems=(*TOKEN_PROBLEMS, TooManyWatch),
)
async def watch_order(request: web.Request) -> web.StreamResponse:
    """The order whenever it changes, as server-sent events.

    Each is called `order`. The stream ends when this process is to stop, and after half an hour: connect again.
    """
    order_id = path_uuid(request, "id")
    _check_token(request, order_id)
    live = request.app[LIVE]
    with live.watching(order_id, request.headers.get("Last-Event-ID")) as watch:
        first = await _news(live, watch)  # a refusal is still possible
        response = web.StreamResponse(headers=STREAM_HEADERS)
        await response.prepare(request)
        # Not all at the same moment: a process that ends sends a thousand pages to the others.
        await response.write(f"retry: {random.randint(1000, 3000)}\n\n".encode() + first)  # noqa: S311 (no secret)
        with contextlib.suppress(ConnectionError, TimeoutError):
            await _tell(live, watch, response)
    return response


async def _tell(live: Live, watch: Watch, response: web.StreamResponse) -> None:
    clock = asyncio.get_running_loop().time
    until = clock() + LONGEST_STREAM_S
    while clock() < until:
        is_woken = await watch.wait(live.settings.live_heartbeat_s)
        if watch.is_over:
            return
        message = await _news(live, watch) if is_woken else b": still here\n\n"
        if message:
            async with asyncio.timeout(SLOW_CLIENT_S):
                await response.write(message)


async def _news(live: Live, watch: Watch) -> bytes:
    """The order as an event, if the client doesn't have it like this already."""
    version, whole = await live.look_at(watch)
    if version == watch.version:
        return b""
    watch.version = version
    return f"id: {version}\nevent: order\ndata: {OrderOut.of(whole).model_dump_json()}\n\n".encode()


@routes.get("/orders/{id}")
@permit(Permission.ORDER_TOKEN)
@describe(dict.fromkeys((200, 400, 401, 403, 404), HTML), asks=(ORDER_ID,))
async def show_order_page(request: web.Request) -> web.Response:
    """An order as a page: where the links in mails lead."""
    shop_name = request.app[TILL].settings.shop_name
    try:
        whole = await _own_order(request)
    except (BadRequest, Unauthorized, Forbidden, NotFound) as error:
        return pages.html(pages.no_order(shop_name), status=error.status)
    return pages.html(pages.order_status(shop_name, whole))


async def _own_order(request: web.Request) -> WholeOrder:
    order_id = path_uuid(request, "id")
    _check_token(request, order_id)
    return await orders.look_at(request.app[TILL].pool, order_id)


def _check_token(request: web.Request, order_id: UUID) -> None:
    """Lets in whoever holds the order's token, or a link from one of its mails that is not too old."""
    token = _token(request, order_id)
    if not token:
        raise TokenMissing("Send the order's token as `Authorization: Bearer …`")
    settings, now = request.app[TILL].settings, datetime.now(UTC)
    is_ours = links.verify(settings.token_keys(), ORDER_TOKEN, str(order_id), token, now) or links.verify(
        settings.mail_link_keys(), MAIL_LINK, str(order_id), token, now
    )
    if not is_ours:
        raise TokenWrong("The token is not this order's, or it is too old")


def _token(request: web.Request, order_id: UUID) -> str:
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    return request.query.get("token") or request.cookies.get(_cookie_name(order_id), "")


def _cookie_name(order_id: UUID) -> str:
    """The end of the id is what differs; it begins with the time."""
    return f"order_token_{order_id.hex[-12:]}"


def _remember_token(response: web.Response, answer: PlacedOrder) -> None:
    """For shops that put us under their own address: their pages need not carry the token about."""
    response.set_cookie(
        _cookie_name(answer.order.id),
        answer.order_token,
        max_age=COOKIE_AGE_S,
        path=f"/v1/orders/{answer.order.id}",
        secure=True,
        httponly=True,
        samesite="Lax",
    )


def _placed(till: Till, placed: Placed) -> PlacedOrder:
    order_id, payment = str(placed.whole.order.id), placed.intent.payment
    return PlacedOrder(
        order=OrderOut.of(placed.whole),
        order_token=links.sign(till.settings.token_keys()[0], ORDER_TOKEN, order_id),
        payment_intent_id=payment.payment_intent_id,
        payment_status=payment.status,
        payment_failure=payments.told_failure(payment),
        client_secret=placed.intent.client_secret,
        publishable_key=till.settings.stripe_publishable_key,
    )
