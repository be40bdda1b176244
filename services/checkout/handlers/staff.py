"""The routes of staff: each act is done in the name of who is signed in."""

from aiohttp import web

from services.checkout.actions import refunds, releasing, shipping, stock
from services.checkout.domain import (
    BelowReserved,
    ChargeDisputed,
    IllegalMove,
    MoneyDisputed,
    MoreThanLeft,
    NothingToRefund,
    NothingToRelease,
    OrderGivenBack,
    OrderOnHold,
    OrderUnpaid,
    ParcelIdTaken,
    RefundIdTaken,
    RefundTooLarge,
)
from services.checkout.handlers.keys import TILL
from services.checkout.handlers.parameters import ORDER_ID, PARCEL_ID, REFUND_ID, SKU
from services.checkout.schemas import (
    AdjustedStock,
    AdjustStock,
    ParcelIn,
    ParcelOut,
    ParcelsOut,
    ParcelStateIn,
    RefundIn,
    RefundOut,
    ReleaseIn,
    StandingOut,
)
from shared.errors import Conflict, NotFound
from shared.openapi import describe
from shared.permissions import Permission, permit
from shared.staff import Right
from shared.web import parse, path_uuid, reply
from shared.web.staff import STAFF

routes = web.RouteTableDef()

UNSENDABLE = (OrderUnpaid, OrderOnHold, MoneyDisputed, OrderGivenBack, MoreThanLeft)


@routes.put("/v1/staff/orders/{id}/refunds/{refund_id}")
@permit(Permission.STAFF, Right.ORDERS_REFUND)
@describe(
    {202: RefundOut},
    takes=RefundIn,
    asks=(ORDER_ID, REFUND_ID),
    problems=(NotFound, Conflict, RefundIdTaken, RefundTooLarge, NothingToRefund, ChargeDisputed),
)
async def refund_order(request: web.Request) -> web.Response:
    """Writes a refund down: all that is left, an amount, or pieces of lines.

    The client chooses its id, so sending it again can't give the money back twice. Another wish needs another id.
    """
    order_id, refund_id = path_uuid(request, "id"), path_uuid(request, "refund_id")
    body = await parse(request, RefundIn)
    async with request.app[TILL].pool.worker() as conn:
        refund = await refunds.request(conn, order_id, body.wanted(refund_id), request[STAFF].actor)
    return reply(RefundOut.of(refund), status=202)


@routes.post("/v1/staff/orders/{id}/release")
@permit(Permission.STAFF, Right.ORDERS_RELEASE)
@describe({200: StandingOut}, takes=ReleaseIn, asks=(ORDER_ID,), problems=(NotFound, NothingToRelease))
async def release_order(request: web.Request) -> web.Response:
    """Says that the order's failed refunds, or else its fraud warnings, have been dealt with: it may be sent."""
    order_id = path_uuid(request, "id")
    body = await parse(request, ReleaseIn)
    async with request.app[TILL].pool.worker() as conn:
        order = await releasing.acknowledge(conn, order_id, request[STAFF].actor, body.reason)
    return reply(StandingOut.of(order))


@routes.get("/v1/staff/orders/{id}/parcels")
@permit(Permission.STAFF, Right.ORDERS_SHIP)
@describe({200: ParcelsOut}, asks=(ORDER_ID,), problems=(NotFound,))
async def list_parcels(request: web.Request) -> web.Response:
    """What was sent of an order, and what is left to send."""
    async with request.app[TILL].pool.worker() as conn:
        found = await shipping.look_at(conn, path_uuid(request, "id"), request[STAFF].actor)
    return reply(ParcelsOut.of(*found))


@routes.put("/v1/staff/orders/{id}/parcels/{parcel_id}")
@permit(Permission.STAFF, Right.ORDERS_SHIP)
@describe(
    {200: ParcelOut, 201: ParcelOut},
    takes=ParcelIn,
    asks=(ORDER_ID, PARCEL_ID),
    problems=(NotFound, ParcelIdTaken, IllegalMove, *UNSENDABLE),
)
async def ship_parcel(request: web.Request) -> web.Response:
    """Writes down a parcel that was handed over.

    The client chooses its id, so repeating it sends nothing twice: it answers 200 with the parcel that is there.
    """
    order_id, parcel_id = path_uuid(request, "id"), path_uuid(request, "parcel_id")
    body = await parse(request, ParcelIn)
    async with request.app[TILL].pool.worker() as conn:
        parcel, is_new = await shipping.ship(conn, order_id, body.wanted(parcel_id), request[STAFF].actor)
    return reply(ParcelOut.of(parcel), status=201 if is_new else 200)


@routes.put("/v1/staff/orders/{id}/parcels/{parcel_id}/state")
@permit(Permission.STAFF, Right.ORDERS_SHIP)
@describe({200: ParcelOut}, takes=ParcelStateIn, asks=(ORDER_ID, PARCEL_ID), problems=(NotFound, IllegalMove))
async def mark_parcel(request: web.Request) -> web.Response:
    """Says that a parcel arrived, or came back. Saying it again changes nothing."""
    order_id, parcel_id = path_uuid(request, "id"), path_uuid(request, "parcel_id")
    body = await parse(request, ParcelStateIn)
    who = (request[STAFF].actor, body.reason)
    async with request.app[TILL].pool.worker() as conn:
        parcel = await shipping.mark(conn, order_id, parcel_id, body.to(), who)
    return reply(ParcelOut.of(parcel))


@routes.post("/v1/staff/stock/{sku}/adjustments")
@permit(Permission.STAFF, Right.STOCK_ADJUST)
@describe({200: AdjustedStock, 201: AdjustedStock}, takes=AdjustStock, asks=(SKU,), problems=(NotFound, BelowReserved))
async def adjust_stock(request: web.Request) -> web.Response:
    """Changes what is on hand of a SKU: a recount, a breakage, a return.

    With a reason and who said so, in the journal and the audit trail. A preview answers 200 and changes nothing.
    """
    wanted = await parse(request, AdjustStock)
    adjustment = wanted.adjustment(SKU.of(request))
    pool, is_preview = request.app[TILL].pool, wanted.preview
    before, after = await stock.adjust(pool, adjustment, request[STAFF].actor, is_preview=is_preview)
    return reply(AdjustedStock.of(before, after, is_preview=is_preview), status=200 if is_preview else 201)
