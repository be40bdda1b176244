"""An abandoned order: its time runs while the walk goes on, and in the end its goods are free again."""

from deploy.demo.shopper import Placed
from deploy.demo.waiting import until
from deploy.demo.walk.scene import Scene, Wrong

LONGEST_S = 45.0
RESERVED_S = 20.0


async def leave_behind(scene: Scene) -> None:
    shopper = scene.shopper("gustav")
    placed = await shopper.place()
    scene.left_behind.append(placed)
    # For as long as a walk lasts, not as long as a person needs who tries the shop.
    await scene.shorten(placed, RESERVED_S)
    order = await shopper.look(placed)
    scene.say(f"order {placed.number}: goods reserved until {order['reserved_until'][11:19]} UTC, and nobody pays")


async def give_back(scene: Scene) -> None:
    if not scene.left_behind:
        raise Wrong("no order was left behind")
    shopper, placed = scene.shopper("gustav"), scene.left_behind[0]
    await shopper.until_it_is("expired", placed, LONGEST_S)
    scene.say(f"order {placed.number} has expired")
    if scene.stage.setup.keys.is_standin:
        intent = await scene.watcher.intent(placed.payment_intent_id)
        scene.expect("its PaymentIntent", intent["status"], "canceled")
        scene.say("its PaymentIntent was cancelled first, so that no money can come any more")
    await until(lambda: _is_given_back(scene, placed), "the goods are free again", 5)
    scene.say("the goods are free again")


async def _is_given_back(scene: Scene, placed: Placed) -> bool:
    query = """
        SELECT sum(reserved_change) AS reserved, sum(on_hand_change) AS on_hand, count(*) AS changes
        FROM checkout.stock_journal WHERE order_id = $1::text::uuid
    """
    (row,) = await scene.stage.look(query, placed.id)
    return (row["changes"], row["reserved"], row["on_hand"]) == (2, 0, 0)
