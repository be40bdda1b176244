"""The routes of staff: each act is done in the name of who is signed in."""

from aiohttp import web

from services.checkout.actions import refunds, stock
from services.checkout.domain import BelowReserved, ChargeDisputed, NothingToRefund, RefundTooLarge
from services.checkout.handlers.keys import TILL
from services.checkout.handlers.parameters import ORDER_ID, REFUND_ID, SKU
from services.checkout.schemas import AdjustedStock, AdjustStock, RefundIn, RefundOut
from shared.errors import Conflict, NotFound
from shared.openapi import describe
from shared.permissions import Permission, permit
from shared.staff import Right
from shared.web import parse, path_uuid, reply
from shared.web.staff import STAFF

routes = web.RouteTableDef()


@routes.put("/v1/staff/orders/{id}/refunds/{refund_id}")
@permit(Permission.STAFF, Right.ORDERS_REFUND)
@describe(
    {202: RefundOut},
    takes=RefundIn,
    asks=(ORDER_ID, REFUND_ID),
    problems=(NotFound, Conflict, RefundTooLarge, NothingToRefund, ChargeDisputed),
)
async def refund_order(request: web.Request) -> web.Response:
    """Writes a refund down: all that is left, an amount, or pieces of lines.

    The client chooses its id, so sending it again can't give the money back twice.
    """
    order_id, refund_id = path_uuid(request, "id"), path_uuid(request, "refund_id")
    body = await parse(request, RefundIn)
    async with request.app[TILL].pool.worker() as conn:
        refund = await refunds.request(conn, order_id, body.wanted(refund_id), request[STAFF].actor)
    return reply(RefundOut.of(refund), status=202)


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
