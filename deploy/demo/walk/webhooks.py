"""Stripe promises neither order nor "once": every event may come twice, late, and after its successor."""

from typing import Any

from deploy.demo.account import Skipped
from deploy.demo.shopper import DECLINED, Placed
from deploy.demo.waiting import until
from deploy.demo.walk.scene import Scene


async def repeat(scene: Scene) -> None:
    if not scene.stage.setup.keys.is_standin:
        raise Skipped("Stripe itself can't be asked to repeat and shuffle its events")
    watcher, shopper = scene.watcher, scene.shopper("dora")
    await watcher.control(
        "POST", "deliveries/rules", {"duplicate_probability": 1, "duplicate_count": 2, "shuffle_window_s": 0.6}
    )
    try:
        placed = await shopper.place()
        await shopper.confirm(placed, DECLINED)
        await shopper.pay(placed)
        await shopper.until_it_is("paid", placed)
        await watcher.until_mailed(placed.email)
    finally:
        await watcher.control("DELETE", "deliveries/rules")
    scene.say(f"order {placed.number}: a refusal and a payment, each event three times, shuffled: paid")
    sent = await _send_again_backwards(scene, placed)
    scene.say(f"all {sent} events once more, newest first")
    await _all_delivered(scene, placed)
    await _one_effect(scene, placed)
    scene.say("one payment, one sale, one confirmation")


async def _send_again_backwards(scene: Scene, placed: Placed) -> int:
    ours = await _events(scene, placed)
    for event in ours:
        await scene.watcher.control("POST", f"events/{event['id']}/resend", {})
    return len(ours)


async def _events(scene: Scene, placed: Placed) -> list[dict[str, Any]]:
    """Stripe's events about the order, the newest first."""
    url = f"{scene.stage.addresses.stripe_url}/v1/events"
    headers = {"Authorization": f"Bearer {scene.stage.setup.keys.secret}"}
    async with scene.stage.http.get(url, params={"limit": "50"}, headers=headers) as response:
        events = (await response.json())["data"]
    return [event for event in events if _is_about(event["data"]["object"], placed)]


def _is_about(subject: dict[str, Any], placed: Placed) -> bool:
    return placed.payment_intent_id in {subject.get("id"), subject.get("payment_intent")}


async def _all_delivered(scene: Scene, placed: Placed) -> None:
    """Those of this order: another may have had some of its events lost for good."""

    async def probe() -> bool:
        state = await scene.watcher.control("GET", "state")
        undelivered = [event for event in await _events(scene, placed) if event["pending_webhooks"]]
        waiting = await scene.stage.look("SELECT 1 FROM webhooks.stripe_events WHERE state = 'received' LIMIT 1")
        return state["deliveries_waiting"] == 0 and not undelivered and not waiting

    await until(probe, "all events are delivered and published", 60)


async def _one_effect(scene: Scene, placed: Placed) -> None:
    query = """
        SELECT (SELECT count(*) FROM checkout.payments WHERE order_id = o.id AND settles) AS payments,
               (SELECT count(*) FROM checkout.stock_journal WHERE order_id = o.id AND reason = 'sold') AS sales,
               (SELECT count(*) FROM checkout.payment_failures WHERE order_id = o.id) AS failures
        FROM checkout.orders o WHERE o.id = $1::text::uuid
    """
    (row,) = await scene.stage.look(query, placed.id)
    scene.expect("payments and sales", (row["payments"], row["sales"]), (1, 1))
    # The mail server has a mail a moment before it is written down that it was accepted.
    await until(lambda: _is_settled(scene, placed), "what became of the confirmation is known", 30)
    letters = await scene.letters(placed)
    scene.expect("confirmations", letters.get("order_confirmation"), ["accepted"])
    copies = [mail["copies"] for mail in await scene.watcher.mails(placed.email)]
    scene.expect("copies of each mail", set(copies), {1})


async def _is_settled(scene: Scene, placed: Placed) -> bool:
    confirmations = (await scene.letters(placed)).get("order_confirmation", ["pending"])
    return not {"pending", "sending"} & set(confirmations)
