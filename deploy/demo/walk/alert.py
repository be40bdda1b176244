"""A service that stays away: Slack and a mail say so, what was meant for it waits, and its return is told too."""

from deploy.demo.programs import ALERTS_TO
from deploy.demo.walk.purchase import confirmed
from deploy.demo.walk.scene import Scene


async def raise_and_resolve(scene: Scene) -> None:
    watcher, supervisor, shopper = scene.watcher, scene.stage.supervisor, scene.shopper("frida")
    heard_before = len(await watcher.mails(ALERTS_TO))
    supervisor.kill("notifier")
    await supervisor.stop("notifier")
    scene.say("notifier killed, and not started again for now")
    try:
        placed = await shopper.place()
        await shopper.pay(placed)
        await shopper.until_it_is("paid", placed)
        scene.say(f"order {placed.number} is paid meanwhile; its mail waits")
        said = await watcher.until_slacked("notifier", "silent")
        scene.say(f"Slack: {said}")
        await watcher.until_mailed(ALERTS_TO, heard_before + 1)
        scene.say(f"and a mail to {ALERTS_TO}")
        scene.expect("mails to the shopper meanwhile", await watcher.mails(placed.email), [])
    finally:
        await supervisor.start(scene.stage.programs["notifier"])
    scene.say("notifier started again")
    await confirmed(scene, placed)
    said = await watcher.until_slacked("RESOLVED", "notifier")
    scene.say(f"Slack: {said}")
