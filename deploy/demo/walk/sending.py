"""A bank warns of fraud: the order stays here until a person decides. Then it is sent, and a part of it refunded."""

from deploy.demo.shopper import Placed
from deploy.demo.stage import StageFailed
from deploy.demo.waiting import until
from deploy.demo.walk.purchase import confirmed
from deploy.demo.walk.scene import Scene, Wrong

UPS = ("--carrier", "UPS", "--tracking-number", "1Z999AA10123456784")


async def decide(scene: Scene) -> None:
    shopper, watcher, stage = scene.shopper("grace"), scene.watcher, scene.stage
    placed = await shopper.place()
    await shopper.pay(placed)
    await shopper.until_it_is("paid", placed)
    await confirmed(scene, placed)
    await watcher.control("POST", "early_fraud_warnings", {"payment_intent": placed.payment_intent_id})
    await _until_held(scene, placed)
    scene.say(f"the card's bank warns of fraud: order {placed.number} is held")
    scene.say(f"Slack: {await watcher.until_slacked(placed.number, 'warning of the card')}")
    await _is_not_sent(scene, placed)
    await stage.operate("release-hold", placed.number, "--reason", "a regular, called her")
    scene.say("a person knows the customer and releases it; the tie is packed")
    await stage.operate("ship", placed.number, *UPS)
    await _told(scene, placed, 2, "on its way")
    await stage.operate("refund", placed.number, "--amount-minor", "500", "--reason", "for the wait", "--yes")
    await _told(scene, placed, 3, "refunded $5.00")
    scene.expect("what the order's page says", (await shopper.look(placed))["reading"], "part refunded, shipped")
    await watcher.until_slacked("RESOLVED", placed.number)
    scene.say("the incident is resolved by itself")


async def _until_held(scene: Scene, placed: Placed) -> None:
    async def probe() -> bool:
        query = "SELECT hold FROM checkout.orders WHERE id = $1::text::uuid"
        (row,) = await scene.stage.look(query, placed.id)
        return bool(row["hold"] == "fraud_warning")

    await until(probe, f"order {placed.number} is held", 20)


async def _is_not_sent(scene: Scene, placed: Placed) -> None:
    try:
        await scene.stage.operate("ship", placed.number, *UPS)
    except StageFailed as refused:
        if "is held: fraud_warning" not in str(refused):
            raise
        scene.say("it can't be sent meanwhile, whoever tries")
    else:
        raise Wrong(f"order {placed.number} was sent although it is held")


async def _told(scene: Scene, placed: Placed, mails: int, said: str) -> None:
    found = await scene.watcher.until_mailed(placed.email, mails)
    subjects = [mail["subject"] for mail in found if said in mail["subject"]]
    scene.expect(f"mails that say {said}", len(subjects), 1)
    scene.say(f"mail to {placed.email}: {subjects[0]}")
