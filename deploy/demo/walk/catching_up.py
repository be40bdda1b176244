"""Stripe could not deliver: the service is away while somebody pays, comes back, and fetches what it missed."""

from deploy.demo.account import Skipped
from deploy.demo.shopper import Placed
from deploy.demo.waiting import until
from deploy.demo.walk.scene import Scene

LONGEST_S = 20.0


async def miss(scene: Scene) -> None:
    if not scene.stage.setup.keys.is_standin:
        raise Skipped("Stripe itself would deliver again before anybody sees that we asked")
    supervisor, shopper = scene.stage.supervisor, scene.shopper("clara")
    placed = await shopper.place()
    program = scene.stage.programs["webhooks"]
    await supervisor.stop("webhooks")
    try:
        scene.say("webhooks is stopped; what Stripe delivers now gets no answer")
        # Stripe's own next try would come within seconds here and hide that we asked: these get none.
        await scene.watcher.control("POST", "deliveries/rules", {"lose_probability": 1})
        await shopper.pay(placed)
        order = await shopper.look(placed)
        scene.expect("the order, paid at Stripe and unheard of here", order["payment"], "awaiting")
        scene.say(f"order {placed.number} is paid at Stripe, and nobody here knows")
        await scene.watcher.control("DELETE", "deliveries/rules")
    finally:
        await supervisor.start(program)
    await shopper.until_it_is("paid", placed, LONGEST_S)
    await _fetched(scene, placed)
    scene.say("webhooks is back, asked Stripe what it had missed, and the order is paid")


async def _fetched(scene: Scene, placed: Placed) -> None:
    query = "SELECT origin FROM webhooks.stripe_events WHERE object_id = $1 AND type = 'payment_intent.succeeded'"
    rows = await scene.stage.look(query, placed.payment_intent_id)
    scene.expect("how the event came", [row["origin"] for row in rows], ["backfill"])
    told = "SELECT 1 FROM monitor.seen_events WHERE type = 'webhook.backfilled'"
    await until(lambda: scene.stage.look(told), "the monitor has heard what was caught up with", 10)
