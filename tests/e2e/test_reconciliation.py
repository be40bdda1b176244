"""A comparison with Stripe in a running shop: checkout asks webhooks through the broker, and hears what came."""


async def test_an_operator_has_everything_compared_and_what_was_missed_is_there(scene, stage):
    shopper = scene.shopper("rae")
    placed = await shopper.place()
    await scene.watcher.control("POST", "deliveries/rules", {"lose_probability": 1})
    await shopper.pay(placed)
    await scene.watcher.control("DELETE", "deliveries/rules")
    said = await stage.operate("reconcile", "--yes", "--reason", "to see", "--wait-s", "60")
    passes = {line.split()[0]: line.split()[1:] for line in said.splitlines() if line.startswith("  ")}
    assert passes["events"][-1] != "answer", said  # else: "no answer"
    assert int(passes["objects"][0]) >= 1, said
    assert int(passes["balance"][-1]) == 0, said
    await shopper.until_it_is("paid", placed)
