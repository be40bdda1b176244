"""The routes of staff: each act is done in the name of who is signed in."""

from aiohttp import web

from services.checkout.actions import refunds, shipping, stock
from services.checkout.handlers.keys import TILL
from services.checkout.schemas import (
    AdjustedStock,
    AdjustStock,
    ParcelIn,
    ParcelOut,
    ParcelsOut,
    ParcelStateIn,
    RefundIn,
    RefundOut,
)
from shared.permissions import Permission, permit
from shared.staff import Right
from shared.web import parse, path_uuid, reply
from shared.web.staff import STAFF

routes = web.RouteTableDef()


@routes.put("/v1/staff/orders/{id}/refunds/{refund_id}")
@permit(Permission.STAFF, Right.ORDERS_REFUND)
async def refund_order(request: web.Request) -> web.Response:
    """Writes a refund down. The client chooses its id, so sending it again can't give the money back twice."""
    order_id, refund_id = path_uuid(request, "id"), path_uuid(request, "refund_id")
    body = await parse(request, RefundIn)
    async with request.app[TILL].pool.worker() as conn:
        refund = await refunds.request(conn, order_id, body.wanted(refund_id), request[STAFF].actor)
    return reply(RefundOut.of(refund), status=202)


@routes.get("/v1/staff/orders/{id}/parcels")
@permit(Permission.STAFF, Right.ORDERS_SHIP)
async def list_parcels(request: web.Request) -> web.Response:
    """What was sent of an order, and what is left to send."""
    async with request.app[TILL].pool.worker() as conn:
        found = await shipping.look_at(conn, path_uuid(request, "id"), request[STAFF].actor)
    return reply(ParcelsOut.of(*found))


@routes.put("/v1/staff/orders/{id}/parcels/{parcel_id}")
@permit(Permission.STAFF, Right.ORDERS_SHIP)
async def ship_parcel(request: web.Request) -> web.Response:
    """Writes down a parcel that was handed over. The client chooses its id, so repeating it sends nothing twice."""
    order_id, parcel_id = path_uuid(request, "id"), path_uuid(request, "parcel_id")
    body = await parse(request, ParcelIn)
    async with request.app[TILL].pool.worker() as conn:
        parcel, is_new = await shipping.ship(conn, order_id, body.wanted(parcel_id), request[STAFF].actor)
    return reply(ParcelOut.of(parcel), status=201 if is_new else 200)


@routes.put("/v1/staff/orders/{id}/parcels/{parcel_id}/state")
@permit(Permission.STAFF, Right.ORDERS_SHIP)
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
async def adjust_stock(request: web.Request) -> web.Response:
    """A recount, a breakage, a return: with a reason and who said so, in the journal and the audit trail."""
    wanted = await parse(request, AdjustStock)
    adjustment = wanted.adjustment(request.match_info["sku"])
    pool, is_preview = request.app[TILL].pool, wanted.preview
    before, after = await stock.adjust(pool, adjustment, request[STAFF].actor, is_preview=is_preview)
    return reply(AdjustedStock.of(before, after, is_preview=is_preview), status=200 if is_preview else 201)
