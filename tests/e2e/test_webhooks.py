"""What the way from Stripe to us can do to events, and that it makes no difference."""

from deploy.demo.shopper import DECLINED
from deploy.demo.waiting import until
from deploy.demo.walk import webhooks


async def test_events_that_come_three_times_and_shuffled_have_one_effect(scene):
    await webhooks.repeat(scene)


async def test_attempts_that_get_lost_are_made_again_by_stripe(scene):
    shopper = scene.shopper("gus")
    placed = await shopper.place()
    await scene.watcher.control("POST", "deliveries/rules", {"fail_next": 4})
    await shopper.pay(placed)
    await shopper.until_it_is("paid", placed)

    async def made_again():
        log = (await scene.watcher.control("GET", "deliveries"))["deliveries"]
        return any(entry["kind"] == "retry" and entry["status"] == 200 for entry in log)

    # The order may be paid by another event than the ones that got lost.
    await until(made_again, "an attempt that got lost is made again", 60)


async def test_events_wait_at_stripe_while_webhooks_is_dead(scene, stage):
    shopper = scene.shopper("hal")
    placed = await shopper.place()
    stage.supervisor.kill("webhooks")
    await shopper.pay(placed)
    await shopper.until_it_is("paid", placed)
    await scene.watcher.until_mailed(placed.email)


async def test_a_payment_whose_event_never_comes_is_found_when_the_order_would_expire(scene):
    shopper = scene.shopper("ida")
    placed = await shopper.place()
    await scene.watcher.control("POST", "deliveries/rules", {"lose_probability": 1})
    await shopper.pay(placed)
    assert (await shopper.look(placed))["payment"] == "awaiting"
    await scene.watcher.control("DELETE", "deliveries/rules")
    await scene.shorten(placed, 0)

    await shopper.until_it_is("paid", placed)
    (mail,) = await scene.watcher.until_mailed(placed.email)
    assert mail["copies"] == 1


async def test_a_second_refusal_is_a_fact_of_its_own(scene):
    shopper = scene.shopper("jon")
    placed = await shopper.place()
    for _ in range(2):
        await shopper.confirm(placed, DECLINED)

    async def probe():
        failures = await scene.stage.look(
            "SELECT 1 FROM checkout.payment_failures WHERE order_id = $1::text::uuid", placed.id
        )
        return len(failures) == 2

    await until(probe, "both refusals are counted", 60)
    await shopper.pay(placed)
    await shopper.until_it_is("paid", placed)
