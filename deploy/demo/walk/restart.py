"""A process killed without warning: the supervisor starts it again, and nothing is lost."""

import secrets

from deploy.demo.shopper import placed_from
from deploy.demo.waiting import until
from deploy.demo.walk.scene import Scene


async def kill(scene: Scene) -> None:
    shopper, supervisor = scene.shopper("emil"), scene.stage.supervisor
    basket, key = shopper.basket(), secrets.token_hex(12)
    status, first = await shopper.try_to_place(basket, key)
    scene.expect("the answer to the order", status, 201)
    restarts = supervisor.restarts["checkout"]
    pid = supervisor.kill("checkout")
    scene.say(f"checkout (pid {pid}) killed with SIGKILL, right after an order")

    async def probe() -> bool:
        return supervisor.restarts["checkout"] > restarts

    await until(probe, "the supervisor starts checkout again", 15)
    await supervisor.healthy("checkout")
    status, second = await shopper.try_to_place(basket, key)
    scene.expect("the answer to the same order, sent again", status, 201)
    scene.expect("the order that the repeat found", second["order"]["id"], first["order"]["id"])
    scene.say("it is back; the shopper sends the order again with the same key: the same order, not another")
    placed = placed_from(second, shopper.email)
    await shopper.pay(placed)
    await shopper.until_it_is("paid", placed)
    scene.say(f"order {placed.number} is paid")
