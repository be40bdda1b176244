"""A card that is declined: the order waits, the shopper is told, another card pays."""

from deploy.demo.shopper import DECLINED
from deploy.demo.walk.purchase import confirmed
from deploy.demo.walk.scene import Scene


async def be_declined(scene: Scene) -> None:
    shopper = scene.shopper("ben")
    placed = await shopper.place()
    status, answer = await shopper.confirm(placed, DECLINED)
    scene.expect("Stripe's answer to the card", status, 402)
    scene.say(f"order {placed.number}: card declined ({answer['error'].get('decline_code')})")
    order = await shopper.until_it_is("failed", placed)
    scene.say(f"the order says so, and keeps its goods until {order['reserved_until'][11:19]} UTC")
    (mail,) = await scene.watcher.until_mailed(placed.email)
    scene.say(f"no other card came soon: mail to {placed.email}: {mail['subject']}")
    await shopper.pay(placed)
    await shopper.until_it_is("paid", placed)
    scene.say("another card paid the same order")
    await confirmed(scene, placed, mails=2)
