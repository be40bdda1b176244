"""The routes of staff: each act is done in the name of who is signed in."""

from aiohttp import web

from services.checkout.actions import refunds, stock
from services.checkout.handlers.keys import TILL
from services.checkout.schemas import AdjustedStock, AdjustStock, RefundIn, RefundOut
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


@routes.post("/v1/staff/stock/{sku}/adjustments")
@permit(Permission.STAFF, Right.STOCK_ADJUST)
async def adjust_stock(request: web.Request) -> web.Response:
    """A recount, a breakage, a return: with a reason and who said so, in the journal and the audit trail."""
    wanted = await parse(request, AdjustStock)
    adjustment = wanted.adjustment(request.match_info["sku"])
    pool, is_preview = request.app[TILL].pool, wanted.preview
    before, after = await stock.adjust(pool, adjustment, request[STAFF].actor, is_preview=is_preview)
    return reply(AdjustedStock.of(before, after, is_preview=is_preview), status=200 if is_preview else 201)
