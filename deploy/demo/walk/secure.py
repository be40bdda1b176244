"""3-D Secure: the payment waits for the bank's customer."""

from deploy.demo.account import Skipped
from deploy.demo.shopper import THREE_D_SECURE
from deploy.demo.walk.purchase import confirmed
from deploy.demo.walk.scene import Scene


async def be_asked(scene: Scene) -> None:
    if not scene.stage.setup.keys.is_standin:
        raise Skipped("Stripe's own page for 3-D Secure needs a browser")
    shopper = scene.shopper("clara")
    placed = await shopper.place(shopper.basket(locale="de", currency="eur"))
    status, challenge = await shopper.confirm(placed, THREE_D_SECURE)
    scene.expect("Stripe's answer to the card", (status, challenge.get("status")), (200, "requires_action"))
    scene.say(f"order {placed.number} over {placed.price}: the bank wants to hear its customer first")
    scene.expect("payment meanwhile", (await shopper.look(placed))["payment"], "awaiting")
    await shopper.authenticate(challenge)
    await shopper.until_it_is("paid", placed)
    scene.say("the customer said yes on the bank's page: paid")
    await confirmed(scene, placed)
