"""The routes of checkout: translate, call one action, answer."""

from datetime import UTC, datetime
from uuid import UUID

from aiohttp import web

from services.checkout import pages
from services.checkout.actions import catalogue, orders
from services.checkout.actions.orders import Placed, Till
from services.checkout.domain import Line, Order
from services.checkout.schemas import Currency, OrderOut, PlacedOrder, PlaceOrder
from shared import links
from shared.errors import BadRequest, Forbidden, Invalid, NotFound, Unauthorized
from shared.money import EXPONENTS
from shared.permissions import Permission, permit
from shared.web import parse, path_uuid, reply

TILL = web.AppKey("TILL", Till)

ORDER_TOKEN = "order"  # noqa: S105 (the purpose of a token, not one)
MAIL_LINK = "mail"


class KeyRequired(BadRequest):
    code = "idempotency_key_required"
    title = "The Idempotency-Key header is missing"


class TokenMissing(Unauthorized):
    code = "order_token_missing"


class TokenWrong(Forbidden):
    code = "order_token_wrong"


routes = web.RouteTableDef()


@routes.get("/v1/products")
@permit(Permission.PUBLIC)
async def list_products(request: web.Request) -> web.Response:
    currency: Currency = request.query.get("currency", "usd")
    if currency not in EXPONENTS:
        raise Invalid("the currency is not known", field="currency")
    return reply(await catalogue.list_products(request.app[TILL].pool, currency))


@routes.post("/v1/orders")
@permit(Permission.PUBLIC)
async def place_order(request: web.Request) -> web.Response:
    key = _idempotency_key(request)
    wanted = await parse(request, PlaceOrder)
    till = request.app[TILL]
    placed = await orders.place_order(till, wanted, key)
    headers = {"Idempotent-Replayed": "true"} if placed.is_replay else None
    return reply(_placed(till, placed), status=201, headers=headers)


@routes.get("/v1/orders/{id}")
@permit(Permission.ORDER_TOKEN)
async def show_order(request: web.Request) -> web.Response:
    order, lines = await _own_order(request)
    return reply(OrderOut.of(order, lines))


@routes.get("/orders/{id}")
@permit(Permission.ORDER_TOKEN)
async def show_order_page(request: web.Request) -> web.Response:
    """Where the links in mails lead."""
    shop_name = request.app[TILL].settings.shop_name
    try:
        order, lines = await _own_order(request)
    except (BadRequest, Unauthorized, Forbidden, NotFound) as error:
        return pages.html(pages.no_order(shop_name), status=error.status)
    return pages.html(pages.order_status(shop_name, order, lines))


async def _own_order(request: web.Request) -> tuple[Order, list[Line]]:
    order_id = path_uuid(request, "id")
    _check_token(request, order_id)
    return await orders.look_at(request.app[TILL].pool, order_id)


def _check_token(request: web.Request, order_id: UUID) -> None:
    """Lets in whoever holds the order's token, or a link from one of its mails that is not too old."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    token = credentials.strip() if scheme.lower() == "bearer" else request.query.get("token", "")
    if not token:
        raise TokenMissing("Send the order's token as `Authorization: Bearer …`")
    settings, now = request.app[TILL].settings, datetime.now(UTC)
    is_ours = links.verify(settings.token_keys(), ORDER_TOKEN, str(order_id), token, now) or links.verify(
        settings.mail_link_keys(), MAIL_LINK, str(order_id), token, now
    )
    if not is_ours:
        raise TokenWrong("The token is not this order's, or it is too old")


def _idempotency_key(request: web.Request) -> str:
    keys = request.headers.getall("Idempotency-Key", [])
    if len(keys) != 1:
        raise KeyRequired("Send one Idempotency-Key with the order: the same one when repeating, else a new one")
    key = keys[0].strip()
    if not (1 <= len(key) <= 255 and key.isascii() and key.isprintable()):
        raise KeyRequired("The Idempotency-Key must be 1 to 255 printable ASCII characters")
    return key


def _placed(till: Till, placed: Placed) -> PlacedOrder:
    order_id = str(placed.order.id)
    return PlacedOrder(
        order=OrderOut.of(placed.order, placed.lines),
        order_token=links.sign(till.settings.token_keys()[0], ORDER_TOKEN, order_id),
        payment_intent_id=placed.intent.payment.payment_intent_id,
        client_secret=placed.intent.client_secret,
        publishable_key=till.settings.stripe_publishable_key,
    )
