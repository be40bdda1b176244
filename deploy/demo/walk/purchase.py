"""A purchase: order, card, confirmation, stock, figures."""

from deploy.demo.shopper import Placed
from deploy.demo.walk.scene import Scene, Wrong

SHIRT = "OXFORD-SHIRT-WHIT-M"


async def buy(scene: Scene) -> None:
    shopper, watcher = scene.shopper("ada"), scene.watcher
    on_hand, reserved = await scene.stock(SHIRT)
    paid_before = await watcher.figure("checkout_payments_total", result="paid")
    placed = await shopper.place(shopper.basket(SHIRT))
    scene.say(f"order {placed.number} over {placed.price} placed, one shirt reserved")
    scene.expect("pieces on hand and reserved", await scene.stock(SHIRT), (on_hand, reserved + 1))
    await shopper.pay(placed)
    scene.say("card taken by Stripe, in the browser: no card number came near us")
    await shopper.until_it_is("paid", placed)
    await _told_by_event(scene, placed)
    scene.say("Stripe's signed event arrived: the order is paid")
    scene.expect("pieces on hand and reserved", await scene.stock(SHIRT), (on_hand - 1, reserved))
    await confirmed(scene, placed)
    await watcher.until_figure(paid_before, "checkout_payments_total", result="paid")
    scene.say("the shirt is sold, and the figures on /metrics moved")


async def _told_by_event(scene: Scene, placed: Placed) -> None:
    """Not by the look at Stripe that the end of a reservation takes, which would hide that no event comes."""
    query = "SELECT 1 FROM webhooks.stripe_events WHERE object_id = $1 AND type = 'payment_intent.succeeded'"
    if not await scene.stage.look(query, placed.payment_intent_id):
        raise Wrong(
            f"order {placed.number} is paid, and no event from Stripe told us so. "
            "Are events sent to us, and signed with the secret we were given?"
        )


async def confirmed(scene: Scene, placed: Placed, mails: int = 1) -> None:
    """The newest of so many mails to the shopper confirms the order."""
    found = await scene.watcher.until_mailed(placed.email, mails)
    scene.expect(f"mails to {placed.email}", len(found), mails)
    scene.expect("copies of the confirmation", found[-1]["copies"], 1)
    if placed.number not in found[-1]["subject"]:
        raise Wrong(f"the mail's subject does not name order {placed.number}: {found[-1]['subject']}")
    scene.say(f"mail to {placed.email}: {found[-1]['subject']}")
