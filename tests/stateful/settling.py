"""How everything comes to rest: fair weather, every event heard, time, all jobs until none has anything to do, and a
person who does what a hold asks for."""

from collections.abc import Sequence
from uuid import UUID

from services.checkout.actions import refunds, releasing
from services.checkout.domain import ChargeDisputed, NothingToRefund, RefundWanted
from shared.errors import AppError
from shared.events import Event
from shared.ids import uuid7
from tests.stateful.world import JOBS, World

A_LEASE_S, A_RESERVATION_S, A_DISPUTE_S = 61, 1801, 10 * 86_400
MOST_ROUNDS = 20


async def settle(world: World, waiting: Sequence[Event]) -> None:
    """Raises what a consumer raises; what is left undone is for the caller to find."""
    for pause_s in (A_LEASE_S, A_RESERVATION_S, A_LEASE_S, A_DISPUTE_S):
        waiting, _ = await _a_round(world, waiting, pause_s)
    for _ in range(MOST_ROUNDS):
        waiting, done = await _a_round(world, waiting, A_LEASE_S)
        if not waiting and not done:
            break


async def _a_round(world: World, waiting: Sequence[Event], pause_s: float) -> tuple[Sequence[Event], int]:
    """What is still waiting, and how much was done."""
    await world.let_pass(pause_s)
    news = [*waiting, *await world.news()]
    waiting = await _heard(news, world)
    done = sum([await _until_idle(world, job) for job in JOBS])
    return waiting, len(news) - len(waiting) + done + await _deal_with_holds(world)


async def _heard(waiting: Sequence[Event], world: World) -> list[Event]:
    """What some consumer would rather hear later."""
    later = []
    for event in waiting:
        try:
            await world.hear(event)
        except AppError as error:
            if not error.may_pass_later:
                raise
            later.append(event)
    return later


async def _until_idle(world: World, job: str) -> int:
    done = 0
    for _ in range(50):
        now = await JOBS[job](world.till)
        done += now
        if not now:
            break
    return done


async def _deal_with_holds(world: World) -> int:
    """Money of another amount goes back by hand; a refund that failed is paid by transfer."""
    wrong = await world.owner.fetch(
        """
        SELECT p.order_id, p.payment_intent_id FROM checkout.payments p JOIN checkout.orders o ON o.id = p.order_id
        WHERE o.hold = 'payment_differs' AND p.status = 'succeeded' AND NOT p.settles AND NOT EXISTS (
            SELECT FROM checkout.refunds r WHERE r.payment_intent_id = p.payment_intent_id AND r.state = 'failed')
        """
    )
    given = [await _give_back(world, row["order_id"], row["payment_intent_id"]) for row in wrong]
    failed = await world.owner.fetch(
        """
        SELECT DISTINCT o.id FROM checkout.orders o JOIN checkout.refunds r ON r.order_id = o.id
        WHERE o.hold <> 'none' AND r.state IN ('failed', 'canceled', 'refused') AND r.acknowledged_at IS NULL
        """
    )
    for row in failed:
        async with world.till.pool.worker() as conn:
            await releasing.acknowledge(conn, row["id"], "staff ada", "paid by transfer")
    return sum(given) + len(failed)


async def _give_back(world: World, order_id: UUID, payment_intent_id: str) -> bool:
    wanted = RefundWanted(uuid7(), "not what it costs", payment_intent_id=payment_intent_id)
    try:
        async with world.till.pool.worker() as conn:
            await refunds.request(conn, order_id, wanted, "staff ada")
    except (NothingToRefund, ChargeDisputed):
        return False
    return True
